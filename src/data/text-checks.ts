/** What texts and columns look like: broken encodings, empty fields, labels. Knows values, no mapping. */
import { own, type Row } from '#data/rows.ts';

/**
 * UTF-8 that was read as Latin-1 or Windows-1252: a lead byte's letter and what the bytes after it look like ("Ã©", "â€™", "ä½ "). Words of real
 * languages hold such a pair by chance rarely: a no-break space is no second byte here, as French writes one between é and ». A letter before a control
 * character is no real text at all.
 */
const MOJIBAKE = new RegExp(
  [
    '[\\u00c2-\\u00f4][\\u0080-\\u009f]',
    '[\\u00c2\\u00c3][\\u0080-\\u00bf\\u0152\\u0153\\u0160\\u0161\\u0178\\u017d\\u017e\\u0192\\u02c6\\u02dc\\u2013-\\u203a\\u20ac\\u2122]',
    '\\u00e2\\u20ac[\\u0080-\\u00bf\\u0152\\u0153\\u0161\\u2013-\\u203a\\u2122\\u02dc]',
    '[\\u00e3-\\u00e9][\\u0080-\\u009f\\u00a1-\\u00bf\\u0152\\u0153\\u2018-\\u203a\\u20ac\\u2122][\\u0080-\\u00bf\\u0152\\u0153\\u2018-\\u203a\\u20ac\\u2122]',
    '\\u00f0\\u0178',
  ].join('|'),
  'u',
);
/** What a decoder writes for bytes that it cannot read. */
const REPLACEMENT = '\ufffd';

export type EncodingProblem = 'replacement-character' | 'mojibake';

/** The first place of a text that looks like a wrong encoding, with some characters around it. */
export function encodingProblem(text: string): { kind: EncodingProblem; example: string } | null {
  const replaced = text.indexOf(REPLACEMENT);
  if (replaced >= 0) return { kind: 'replacement-character', example: around(text, replaced) };
  const broken = MOJIBAKE.exec(text);
  return broken === null ? null : { kind: 'mojibake', example: around(text, broken.index) };
}

function around(text: string, at: number): string {
  return text.slice(Math.max(0, at - 10), at + 20);
}

/** Whether a field holds nothing to learn from. */
export function isEmptyField(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value === 'string') return value.trim() === '';
  return Array.isArray(value) && value.length === 0;
}

/** Past so many different values a column holds no labels. */
const MOST_LABELS = 20;
/** Rows that a label has on average at least; fewer, and the values are texts that happen to be few. */
const ROWS_PER_LABEL = 5;
const LONGEST_LABEL = 60;

/** The values of a column and how often each is there, the most frequent first; null for a column that holds no labels. */
export function labelsOf(rows: readonly Row[], column: string): { value: string; count: number }[] | null {
  const counts = new Map<string, number>();
  let total = 0;
  for (const row of rows) {
    const value = own(row, column);
    if (isEmptyField(value)) continue;
    if (typeof value !== 'string' && typeof value !== 'boolean' && typeof value !== 'number') return null;
    const text = String(value).trim();
    if (text.length > LONGEST_LABEL) return null;
    counts.set(text, (counts.get(text) ?? 0) + 1);
    if (counts.size > MOST_LABELS) return null;
    total++;
  }
  if (counts.size === 0 || total < ROWS_PER_LABEL * counts.size) return null;
  return Array.from(counts, ([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count);
}
