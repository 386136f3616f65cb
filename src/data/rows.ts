/** Rows as a file gave them, and how a value of a row becomes text. Knows no file format and no template. */
import { AppError } from '#base/errors.ts';

/** One row: column name to value, as JSON has it (a CSV cell is a string). */
export type Row = Readonly<Record<string, unknown>>;

/** The rows of a dataset, one file after another. Row numbers in messages are counted from 1 in each file. */
export interface RowSet {
  /** The name that errors tell the user; of several files, the first. */
  file: string;
  /** The files after the first, each with the index of its first row. */
  further?: readonly { file: string; firstRow: number }[];
  /** Every column that some row has, in order of appearance. */
  columns: readonly string[];
  rows: readonly Row[];
  /** Cells have no types of their own: every value is a text, as in CSV. */
  textCells?: boolean;
}

/** How a value becomes text. `column` is the column that holds it, also for a value inside it. */
export type ValueText = (value: unknown, column: string) => string;

/** Columns of `rows` in order of appearance. */
export function columnsOf(rows: readonly Row[]): string[] {
  const seen = new Set<string>();
  for (const row of rows) for (const column of Object.keys(row)) seen.add(column);
  return [...seen];
}

/** A row's value under a column of its own: a row may be any JSON, with keys that objects inherit. */
export function own(row: Row, column: string): unknown {
  return Object.hasOwn(row, column) ? row[column] : undefined;
}

/** Text as it stands; anything else as JSON, so that an answer may be an object. */
export const plainText: ValueText = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** What a value is, in the words of a message. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? 'text' : `the ${typeof value} ${JSON.stringify(value)}`;
}

/** @throws AppError `data/missing-column` that names the columns that exist, unless `column` is one of them. */
export function requireColumn(set: RowSet, column: string): void {
  if (set.columns.includes(column)) return;
  throw new AppError('data/missing-column', `${set.file} has no column '${column}'; ${columnList(set.columns)}`, {
    file: set.file,
    column,
    expected: column,
    found: set.columns.join(', '),
  });
}

/** "its columns are a, b", for messages. */
export function columnList(columns: readonly string[]): string {
  return columns.length === 0 ? 'it has no columns' : `its columns are ${columns.map((column) => `'${column}'`).join(', ')}`;
}

/** The file of a row and its number there, counted from 1. */
export function locateRow(set: Pick<RowSet, 'file' | 'further'>, row: number): { file: string; row: number } {
  const later = set.further?.findLast(({ firstRow }) => firstRow <= row);
  return later === undefined ? { file: set.file, row: row + 1 } : { file: later.file, row: row - later.firstRow + 1 };
}

/** The error of a value that is of no use: file, row, column, what was found and what was expected. */
export function badValue(set: Pick<RowSet, 'file' | 'further'>, row: number, column: string, value: unknown, expected: string): AppError {
  const found = describeValue(value);
  const place = locateRow(set, row);
  const message = `${place.file}, row ${place.row}, column '${column}': ${found} was found, ${expected} was expected`;
  return new AppError('data/invalid', message, { ...place, column, found, expected });
}
