/** The name that was probably meant by one with a slip in it. Knows words alone. */

/** Letters by which two words differ at most, for one to be taken for a slip of the other. */
const SLIP_LETTERS = 3;

/** Letters to change, add or leave out on the way from one word to another. @source https://en.wikipedia.org/wiki/Levenshtein_distance */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The known name that differs by three letters at most, the nearest of them; null: none does. */
export function nearestName(found: string, known: readonly string[]): string | null {
  const [nearest] = known.map((name) => ({ name, letters: distance(found, name) })).sort((a, b) => a.letters - b.letters);
  return nearest !== undefined && nearest.letters <= SLIP_LETTERS ? nearest.name : null;
}
