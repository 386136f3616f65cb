/** A colour, a dash and a mark for each run of a comparison, by its place. */

const COLOURS = 6;
/** Where there are more runs than colours, these come again with dashes. */
const DASHES = [undefined, '6 3', '2 3'];

export function runColour(place: number): string {
  return `var(--run-${(place % COLOURS) + 1})`;
}

export function runDash(place: number): string | undefined {
  return DASHES[Math.floor(place / COLOURS) % DASHES.length];
}

/** A, B, ... Z, then A2, B2. */
export function markOf(place: number): string {
  const round = Math.floor(place / 26);
  return `${String.fromCodePoint(65 + (place % 26))}${round === 0 ? '' : round + 1}`;
}
