/** Which rows of the files are trained on and which are measured: `--train_split`, `--eval_split`, `--eval_files`. Knows no tokenizer. */
import { AppError } from '#base/errors.ts';
import type { FinetuneFlags } from '#cli/flags.ts';
import { type HoldOut, groupRows, holdOut } from '#data/hold-out.ts';
import type { RowSet } from '#data/rows.ts';
import { type SplitSlice, rowsOfSplit } from '#data/split-syntax.ts';
import { heldOutCount } from '#data/split.ts';
import type { Recipe } from '#recipe/recipe.ts';

/** Rows of a set, by their numbers. */
export interface RowsOfSet {
  set: RowSet;
  rows: number[];
}

export interface ChosenRows {
  train: RowsOfSet;
  validation: RowsOfSet | null;
  /** What is worth saying of them. */
  lines: string[];
}

type Files = { set: RowSet; evalSet: RowSet | null };

/**
 * Chooses rows as the flags and the recipe's `held_out` say.
 * @throws AppError `data/no-rows` naming a split without rows, `recipe/invalid`, `data/missing-column`, `template/invalid`
 */
export async function chooseRows(
  { set, evalSet }: Files,
  { trainSplit, evalSplit }: Pick<FinetuneFlags, 'trainSplit' | 'evalSplit'>,
  recipe: Recipe,
): Promise<ChosenRows> {
  const wanted = splitRowsOf('train_split', trainSplit, set);
  const own = ownRows({ set, evalSet }, evalSplit);
  if (own === null && recipe.held_out === 0) {
    refuseWithoutMeasuring(recipe);
    return { train: { set, rows: wanted }, validation: null, lines: [] };
  }
  if (own !== null && recipe.stratify_by !== null) {
    throw unmet('stratify_by', recipe.stratify_by, '--eval_split as a share or a number of rows, as those alone are drawn');
  }
  if (own === null && heldOutCount(wanted.length, recipe.held_out) < Math.floor(recipe.held_out)) {
    throw unmet('eval_split', `${recipe.held_out} of ${wanted.length} rows`, 'fewer than all');
  }
  const compared = { set: subset({ set, rows: wanted }), heldOutSet: own === null ? null : subset(own) };
  const groups = recipe.keep_duplicates_together ? await groupRows(compared, recipe.mapping) : null;
  const { held_out: heldOut, seed, stratify_by: stratifyBy, keep_duplicates_together: keepDuplicatesTogether } = recipe;
  const parted = holdOut(compared, { heldOut, seed, stratifyBy, keepDuplicatesTogether }, groups);
  const train = { set, rows: parted.train.map((row) => wanted[row]) };
  const validation = own ?? { set, rows: parted.heldOut.map((row) => wanted[row]) };
  if (validation.rows.length === 0) throw unmet('eval_split', `${wanted.length} rows of which none can be held out`, 'at least two');
  return { train, validation, lines: linesOf(train, validation, parted) };
}

/** Rows that are measured because the user named them, not because they were drawn. */
function ownRows({ set, evalSet }: Files, evalSplit: readonly SplitSlice[] | null): RowsOfSet | null {
  if (evalSet !== null) return { set: evalSet, rows: evalSet.rows.map((_, row) => row) };
  return evalSplit === null ? null : { set, rows: splitRowsOf('eval_split', evalSplit, set) };
}

function splitRowsOf(flag: string, slices: readonly SplitSlice[], set: RowSet): number[] {
  const rows = rowsOfSplit(slices, set.rows.length);
  if (rows.length > 0) return rows;
  const split = slices.map(({ text }) => text).join('+');
  throw new AppError('data/no-rows', `--${flag} ${split}: no row of ${set.rows.length} was found, at least one was expected`, {
    field: flag,
    found: 0,
    expected: 1,
  });
}

function unmet(field: string, found: string, expected: string): AppError {
  return new AppError('recipe/invalid', `--${field}: ${found} was found, ${expected} was expected`, { field, found, expected });
}

/** What is asked of held-out rows when there are none, as transformers refuses it. */
function refuseWithoutMeasuring(recipe: Recipe): void {
  const rows = 'rows to measure, by --eval_split or --eval_files,';
  if (recipe.stratify_by !== null) throw unmet('stratify_by', `${recipe.stratify_by} without them`, '--eval_split as a share or a number');
  if (recipe.eval_strategy !== 'no') throw unmet('eval_strategy', `${recipe.eval_strategy} without them`, rows);
}

function subset({ set, rows }: RowsOfSet): RowSet {
  return { ...set, rows: rows.map((row) => set.rows[row]) };
}

function linesOf(train: RowsOfSet, validation: RowsOfSet, { nearDuplicates, leaks, strata }: HoldOut): string[] {
  const lines = [`split: ${train.rows.length} rows to train on, ${validation.rows.length} to measure`];
  const trained = new Set(train.set === validation.set ? train.rows : []);
  const both = validation.rows.filter((row) => trained.has(row)).length;
  if (both > 0) lines.push(`  ${both} of the rows that are measured are trained on, too: leave them out by --train_split`);
  if (nearDuplicates.count > 0)
    lines.push(`  ${nearDuplicates.count} rows say almost the same as an earlier one; such rows stay on one side`);
  if (leaks.count > both) lines.push(`  ${leaks.count} of the rows that are measured say almost the same as one that is trained on`);
  for (const { value, rows, heldOutRows } of (strata ?? []).slice(0, LISTED_VALUES))
    lines.push(`  ${value}: ${heldOutRows} of ${rows} held out`);
  if (strata && strata.length > LISTED_VALUES) lines.push(`  and ${strata.length - LISTED_VALUES} values more`);
  return lines;
}

/** Values of a column that are told of. */
const LISTED_VALUES = 10;
