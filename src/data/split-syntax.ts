/** The split syntax of the `datasets` library, as `train[:80%]+train[90%:]`. Knows numbers of rows, no files and no flags. */
import { AppError } from '#base/errors.ts';

/** `closest`: a percentage becomes the nearest row. `pct1_dropremainder`: a multiple of a hundredth of the rows, rounded down. */
export type SplitRounding = 'closest' | 'pct1_dropremainder';

/** One part of a sum of splits. Negative ends are counted from the last row. */
export interface SplitSlice {
  text: string;
  name: string;
  /** null: from the first row. */
  from: number | null;
  /** Excluded; null: to the last row. */
  to: number | null;
  isPercent: boolean;
  rounding: SplitRounding;
}

/** What is wrong with a split, in the words of a message. */
export interface SplitProblem {
  found: string;
  expected: string;
}

const SYNTAX = 'a split as train, train[:80%], train[80%:], train[:100], train[-20:], or such with + between';
const WORD = String.raw`[\p{L}\p{N}_]+`;
const END = String.raw`(-?\d+(?:_\d+)*)?(%)?`;
const SLICE = new RegExp(String.raw`^(${WORD}(?:\.${WORD})*)(?:\[${END}:${END}\])?(?:\(([^)]*)\))?$`, 'u');

/**
 * Reads a split. As in `datasets`, one `%` makes both ends of a slice percentages, and what is added up has one rounding.
 * @source datasets 5.2.0 arrow_reader.py (_SUB_SPEC_RE, _str_to_read_instruction, _RelativeInstruction, ReadInstruction.__add__)
 */
export function parseSplit(text: string): SplitSlice[] | SplitProblem {
  const slices: SplitSlice[] = [];
  for (const part of text.split(/\s*\+\s*/)) {
    const slice = parseSlice(part);
    if ('found' in slice) return slice;
    slices.push(slice);
  }
  const [first, ...others] = slices.filter(({ isPercent }) => isPercent);
  const other = others.find(({ rounding }) => rounding !== first.rounding);
  return other ? { found: `${first.text} + ${other.text}`, expected: 'one rounding for all that is added up' } : slices;
}

function parseSlice(text: string): SplitSlice | SplitProblem {
  const match = SLICE.exec(text);
  if (!match) return { found: text === '' ? 'nothing' : text, expected: SYNTAX };
  const [, name, from, fromSign, to, toSign, rounding] = match;
  if ((fromSign && from === undefined) || (toSign && to === undefined)) return { found: text, expected: SYNTAX };
  const isPercent = Boolean(fromSign ?? toSign);
  if (rounding !== undefined && rounding !== 'closest' && rounding !== 'pct1_dropremainder') {
    return { found: `the rounding ${rounding}`, expected: 'closest or pct1_dropremainder' };
  }
  if (rounding !== undefined && !isPercent) return { found: text, expected: 'a rounding after percentages alone' };
  const [start, end] = [from, to].map((number) => (number === undefined ? null : Number(number.replaceAll('_', ''))));
  if (isPercent && [start, end].some((percent) => Math.abs(percent ?? 0) > 100)) {
    return { found: text, expected: 'percentages from -100 to 100' };
  }
  return { text, name, from: start, to: end, isPercent, rounding: rounding ?? 'closest' };
}

/**
 * The rows of a split, in its order; a row that two of its parts have is there twice.
 * @throws AppError `data/no-rows` for `pct1_dropremainder` of fewer than 100 rows, whose hundredth is none.
 * @source datasets 5.2.0 arrow_reader.py (_rel_to_abs_instr, _pct_to_abs_closest, _pct_to_abs_pct1)
 */
export function rowsOfSplit(slices: readonly SplitSlice[], rowCount: number): number[] {
  return slices.flatMap((slice) => {
    const end = (at: number | null, missing: number): number => {
      if (at === null) return missing;
      const row = slice.isPercent ? rowOfPercent(slice, at, rowCount) : at;
      return Math.min(row < 0 ? Math.max(rowCount + row, 0) : row, rowCount);
    };
    const [from, to] = [end(slice.from, 0), end(slice.to, rowCount)];
    return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  });
}

function rowOfPercent({ text, rounding }: SplitSlice, percent: number, rowCount: number): number {
  if (rounding === 'closest') return roundHalfEven((percent * rowCount) / 100);
  if (rowCount >= 100) return percent * Math.trunc(rowCount / 100);
  throw new AppError('data/no-rows', `${text}: ${rowCount} rows were found, at least 100 were expected for pct1_dropremainder`, {
    found: rowCount,
    expected: 100,
  });
}

/** Python's `round`: of two equally near numbers the even one. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const fraction = value - below;
  if (fraction === 0.5) return below % 2 === 0 ? below : below + 1;
  return fraction < 0.5 ? below : below + 1;
}
