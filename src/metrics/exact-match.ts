/** Exact match of an answer with the expected one: as JSON where both are JSON, else as text. Knows text alone. */

/**
 * Whether `answer` says the same as `expected`. Where both parse as JSON their values are compared, so that spaces and the order of keys
 * do not count; otherwise the texts are compared, without white space at either end. What a model thought before its answer does not count.
 */
export function exactMatch(answer: string, expected: string): boolean {
  return normalForm(answer) === normalForm(expected);
}

/** The share of pairs that match, in [0, 1]; NaN when there are none. */
export function exactMatchRate(pairs: Iterable<{ answer: string; expected: string }>): number {
  let matches = 0;
  let count = 0;
  for (const { answer, expected } of pairs) {
    if (exactMatch(answer, expected)) matches++;
    count++;
  }
  return matches / count;
}

/** Ends what a model thinks, as Qwen, DeepSeek and others write it. */
const THOUGHT_END = '</think>';

/** JSON with sorted keys and no spaces, behind a mark that no trimmed text begins with; or the trimmed text. */
function normalForm(whole: string): string {
  const end = whole.lastIndexOf(THOUGHT_END);
  const text = end < 0 ? whole : whole.slice(end + THOUGHT_END.length);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.trim();
  }
  return `\n${JSON.stringify(value, sortKeys)}`;
}

/** A replacer that puts the keys of every object in one order. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
