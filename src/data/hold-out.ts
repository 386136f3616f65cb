/** Which rows of a dataset are trained on and which are held out, and what the two have in common. Knows mappings, no tokenizer. */
import { unreachable } from '#base/errors.ts';
import { groupDuplicates, type OnTurn } from '#data/duplicates.ts';
import { noRows, noteRow, type RowFinding } from '#data/findings.ts';
import type { DataMapping } from '#data/mapping.ts';
import { own, requireColumn, type Row, type RowSet } from '#data/rows.ts';
import { splitRows } from '#data/split.ts';
import { parseTemplate } from '#data/template.ts';

export interface HoldOutOptions {
  /** Below 1: a share of the rows; else a number of rows. Without meaning when the held-out rows have a file of their own. */
  heldOut: number;
  seed: number;
  /** A column of which each value keeps its share among the held-out rows. Without meaning when these have a file of their own. */
  stratifyBy: string | null;
  /** Whether rows that say almost the same are looked for; those that are drawn from one file stay on one side. */
  keepDuplicatesTogether: boolean;
}

/** One value of the column that the split is even in. */
export interface StratumCount {
  /** Text as it stands, anything else as JSON; a row that lacks the column has `null`. */
  value: string;
  rows: number;
  heldOutRows: number;
}

export interface HoldOut {
  /** Rows of the dataset, ascending. */
  train: number[];
  /** Rows of the dataset, or of the file of their own: all of it. */
  heldOut: number[];
  /** Rows of the dataset that say almost the same as an earlier one. Those with these earlier ones are `duplicateGroups` groups. */
  nearDuplicates: RowFinding;
  duplicateGroups: number;
  /** Rows of the held-out file that say almost the same as a training row. They are measured all the same. */
  leaks: RowFinding;
  /** The most frequent first; null without a column. */
  strata: StratumCount[] | null;
}

/** The rows that are compared: those of the dataset, then those of the held-out file. */
export interface ComparedRows {
  set: RowSet;
  heldOutSet: RowSet | null;
}

/**
 * For each of the compared rows the first row of its group of near-duplicates.
 * @throws AppError `data/missing-column`, `template/invalid`
 */
export async function groupRows({ set, heldOutSet }: ComparedRows, mapping: DataMapping, onTurn?: OnTurn): Promise<Uint32Array> {
  const texts = rowTexts(set, mapping);
  const heldOutTexts = heldOutSet === null ? null : rowTexts(heldOutSet, mapping);
  const count = set.rows.length;
  const all = count + (heldOutSet?.rows.length ?? 0);
  return groupDuplicates(all, (row) => (row < count || heldOutTexts === null ? texts(row) : heldOutTexts(row - count)), onTurn);
}

/**
 * Divides rows. `groups` is what `groupRows` made of the same rows; null: near-duplicates are not looked at.
 * @throws AppError `data/missing-column` when no row has the column `stratifyBy`.
 */
export function holdOut({ set, heldOutSet }: ComparedRows, options: HoldOutOptions, groups: Uint32Array | null): HoldOut {
  const rowCount = set.rows.length;
  const ownGroups = groups?.subarray(0, rowCount);
  const strata = options.stratifyBy === null || heldOutSet !== null ? null : strataOf(set, options.stratifyBy);
  const share = heldOutSet === null ? options.heldOut : 0;
  const split = splitRows(rowCount, share, options.seed, { groups: ownGroups, strata: strata?.ofRow });
  const nearDuplicates = noRows();
  const leaks = noRows();
  const repeated = new Set<number>();
  for (const [row, first] of (ownGroups ?? []).entries()) {
    if (first === row) continue;
    noteRow(nearDuplicates, row);
    repeated.add(first);
  }
  for (const [row, first] of (groups?.subarray(rowCount) ?? []).entries()) {
    // The dataset's rows come first: a group that holds any of them begins with one.
    if (first < rowCount) noteRow(leaks, row);
  }
  return {
    train: split.train,
    heldOut: heldOutSet === null ? split.heldOut : heldOutSet.rows.map((_, row) => row),
    nearDuplicates,
    duplicateGroups: repeated.size,
    leaks,
    strata: strata === null ? null : countStrata(strata, split.heldOut),
  };
}

interface Strata {
  values: string[];
  /** [rows] the number of each row's value. */
  ofRow: Uint32Array;
}

function strataOf(set: RowSet, column: string): Strata {
  requireColumn(set, column);
  const numbers = new Map<string, number>();
  const ofRow = Uint32Array.from(set.rows, (row) => {
    const text = valueText(own(row, column));
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number;
  });
  return { values: [...numbers.keys()], ofRow };
}

function countStrata({ values, ofRow }: Strata, heldOut: readonly number[]): StratumCount[] {
  const counts = values.map((value) => ({ value, rows: 0, heldOutRows: 0 }));
  for (const stratum of ofRow) counts[stratum].rows++;
  for (const row of heldOut) counts[ofRow[row]].heldOutRows++;
  return counts.sort((a, b) => b.rows - a.rows);
}

/** What a row says: the values that the mapping names, without the words of its template. */
export function rowTexts(set: RowSet, mapping: DataMapping): (row: number) => string[] {
  const columns = mappedColumns(set, mapping);
  return (row) => columns.flatMap((column) => textsOf(own(set.rows[row] ?? {}, column)));
}

export function mappedColumns(set: RowSet, mapping: DataMapping): readonly string[] {
  switch (mapping.kind) {
    case 'text':
    case 'messages':
      requireColumn(set, mapping.column);
      return [mapping.column];
    case 'template':
      return [...new Set(parseTemplate(mapping.template, set).parts.flatMap((part) => (part.kind === 'column' ? [part.column] : [])))];
    case 'prompt-completion':
      for (const column of [mapping.prompt, mapping.completion]) requireColumn(set, column);
      return [mapping.prompt, mapping.completion];
    case 'turns': {
      const columns = [...(mapping.system === undefined ? [] : [mapping.system]), ...mapping.user, mapping.assistant];
      for (const column of columns) requireColumn(set, column);
      return columns;
    }
    default:
      return unreachable(mapping);
  }
}

/** A text, or those of a conversation's messages. What else a value is shows when it is tokenised. */
function textsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [valueText(value)];
  return value.map((message: unknown) => {
    const isObject = typeof message === 'object' && message !== null;
    const content = isObject ? ((message as Row).content ?? (message as Row).value) : undefined;
    return valueText(content ?? message);
  });
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null');
}
