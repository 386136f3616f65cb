/** Chooses the token capacities of micro-batches from the lengths of the rows. */

const STEP = 32;
const VARIANTS = 4;

/**
 * Capacities, ascending multiples of 32: the largest holds the longest row and, mostly, `rows` rows of a micro-batch; the others let a
 * short step cost less.
 * @param limitTokens no capacity above this, unless one row alone is longer.
 */
export function chooseCapacities(lengths: ArrayLike<number>, rows: number, limitTokens = 4096): number[] {
  let longest = 1;
  let total = 0;
  for (let i = 0; i < lengths.length; i++) {
    longest = Math.max(longest, lengths[i]);
    total += lengths[i];
  }
  const mean = total / Math.max(1, lengths.length);
  const wanted = Math.min(limitTokens, rows * Math.min(longest, mean * 1.2));
  const largest = roundUp(Math.max(longest, wanted));
  const least = roundUp(Math.max(STEP, largest / 2));
  const capacities = new Set<number>();
  for (let i = 0; i < VARIANTS; i++) capacities.add(roundUp(least + ((largest - least) * i) / (VARIANTS - 1)));
  return [...capacities].sort((a, b) => a - b);
}

function roundUp(tokens: number): number {
  return Math.ceil(tokens / STEP) * STEP;
}
