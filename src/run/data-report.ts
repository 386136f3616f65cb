/** What became of a dataset's rows, as the page is told, and rows as they travel to the trainer. Knows no tokenizer. */
import type { Sequence } from '#data/batch.ts';
import { LISTED_ROWS } from '#data/findings.ts';
import type { HoldOut } from '#data/hold-out.ts';
import type { RowChecks } from '#data/row-checks.ts';
import type { TokenEnds } from '#data/token-ends.ts';
import type { TokenizedRows, TokenizeReport } from '#data/tokenize.ts';
import type { DataReport, DataSettings, LengthHistogram, SkippedRows } from '#protocol/data.ts';
import type { PackedRows } from '#protocol/trainer.ts';
import { FEWEST_TO_JUDGE } from '#run/evaluation.ts';
import { findingsOf } from '#run/row-findings.ts';

export interface PreparedRows {
  settings: DataSettings;
  rowCount: number;
  split: HoldOut;
  train: TokenizedRows;
  validation: TokenizedRows;
  hasHeldOutFile: boolean;
  checks: RowChecks;
  ends: TokenEnds;
  hiddenPrompt: string | null;
}

export function reportOf(prepared: PreparedRows): DataReport {
  const { rowCount, split, train, validation, checks } = prepared;
  const sorted = lengthsOf(train.sequences).sort();
  const validationRows = usedRows(validation);
  return {
    rowCount,
    trainRows: split.train.length,
    heldOutRows: split.heldOut.length,
    sequences: train.sequences.length,
    tokens: train.report.tokens,
    lossTokens: train.report.lossTokens,
    minTokens: sorted[0] ?? 0,
    medianTokens: sorted[sorted.length >> 1] ?? 0,
    maxTokens: sorted.at(-1) ?? 0,
    p95Tokens: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0,
    lengths: histogramOf(train.lengths),
    longestRow: longestOf(train),
    labels: checks.labels,
    findings: findingsOf({
      ...prepared,
      nearDuplicates: split.nearDuplicates,
      duplicateGroups: split.duplicateGroups,
      leaks: split.leaks,
    }),
    truncatedRows: train.report.truncated,
    mergedRows: train.report.merged,
    skipped: skippedOf(train.report),
    validationRows,
    validationSequences: validation.sequences.length,
    validationTokens: validation.report.tokens,
    validationLossTokens: validation.report.lossTokens,
    validationSkipped: skippedOf(validation.report),
    isTooFewToJudge: validationRows < FEWEST_TO_JUDGE,
    nearDuplicateRows: split.nearDuplicates,
    duplicateGroups: split.duplicateGroups,
    leakedRows: split.leaks,
    strata: split.strata?.slice(0, LISTED_ROWS) ?? null,
  };
}

/** Most bins of a histogram, and the narrowest of them. */
const MOST_BINS = 32;
const NARROWEST_BIN = 8;

/** Sequences by their lengths, in bins of one power of two. */
export function histogramOf(lengths: readonly number[]): LengthHistogram {
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  let binTokens = NARROWEST_BIN;
  while (longest >= binTokens * MOST_BINS) binTokens *= 2;
  const counts: number[] = Array.from({ length: lengths.length === 0 ? 0 : Math.floor(longest / binTokens) + 1 }, () => 0);
  for (const length of lengths) counts[Math.floor(length / binTokens)]++;
  return { binTokens, counts };
}

function longestOf({ rows, lengths }: TokenizedRows): DataReport['longestRow'] {
  const tokens = lengths.reduce((most, length) => Math.max(most, length), 0);
  return lengths.length === 0 ? null : { row: rows[lengths.indexOf(tokens)], tokens };
}

/** Rows that were read and not left out. */
export function usedRows({ report }: Pick<TokenizedRows, 'report'>): number {
  return report.rowsRead - report.empty.count - report.missing.count - report.invalid.count - report.noLoss.count;
}

export function lengthsOf(sequences: readonly Sequence[]): Uint32Array {
  return Uint32Array.from(sequences, ({ tokens }) => tokens.length);
}

function skippedOf({ empty, missing, invalid, noLoss }: TokenizeReport): SkippedRows[] {
  const skipped: SkippedRows[] = [
    { why: 'empty', ...empty },
    { why: 'missing', ...missing },
    { why: 'invalid', ...invalid },
    { why: 'no-loss', ...noLoss },
  ];
  return skipped.filter(({ count }) => count > 0);
}

/** Sequences one after another, in buffers of their own. */
export function packRows(sequences: readonly Sequence[]): PackedRows {
  const offsets = new Uint32Array(sequences.length + 1);
  for (const [i, { tokens }] of sequences.entries()) offsets[i + 1] = offsets[i] + tokens.length;
  const total = offsets.at(-1) ?? 0;
  const packed = { tokens: new Uint32Array(total), lossMask: new Uint8Array(total), offsets };
  for (const [i, { tokens, lossMask }] of sequences.entries()) {
    packed.tokens.set(tokens, offsets[i]);
    packed.lossMask.set(lossMask, offsets[i]);
  }
  return packed;
}
