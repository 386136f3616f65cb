/** Rows -> sequences, with a report of what became of each row. Picks the way that the mapping asks for; knows tokenizers by their interface. */
import { AppError, unreachable } from '#base/errors.ts';
import { promptCompletionRows, templateAnswerRows, turnRows } from '#data/answer-rows.ts';
import { lossTokenCount, type Sequence } from '#data/batch.ts';
import { assistantTurnRows } from '#data/chat-rows.ts';
import { cutToLength, type Draft, type DraftRow, type RowContext, type RowResult, type SkippedRow } from '#data/drafts.ts';
import { noRows, noteRow, type RowFinding } from '#data/findings.ts';
import { checkMapping } from '#data/mapping.ts';
import { BlockJoiner, oliveLines } from '#data/olive-text.ts';

/** Rows between two calls of `onProgress`: some milliseconds of work. */
const ROWS_PER_TURN = 64;

export interface TokenizeReport {
  /** Rows that were read; fewer than there are when `maxSamples` was reached. */
  rowsRead: number;
  tokens: number;
  lossTokens: number;
  /** Tokens of the longest sequence. */
  longest: number;
  /** Longer than `maxLength`; the end was cut off. */
  truncated: RowFinding;
  /** Skipped: no text. */
  empty: RowFinding;
  /** Skipped: nothing in a column that the template names. */
  missing: RowFinding;
  /** Skipped, where the caller wants that: a value that is of no use. */
  invalid: RowFinding;
  /** What is wrong with the first of these. */
  invalidReason: string | null;
  /** Skipped: no token with loss within `maxLength`. */
  noLoss: RowFinding;
  /** Prompt and answer share a token; the model is asked in another context than it learnt in. */
  merged: RowFinding;
  /** Conversations that became a sequence a turn: what the model is asked before one of them is no beginning of the whole. */
  split: RowFinding;
  /** The chat template leaves out what an answer says that was thought. */
  droppedReasoning: RowFinding;
  /** Tokens that truncation cut off or that filled no block. */
  droppedTokens: number;
}

export interface TokenizedRows {
  sequences: Sequence[];
  /** For each sequence the row that it came from; of a block, the row of its first token. */
  rows: number[];
  /** For each sequence its tokens before truncation. */
  lengths: number[];
  report: TokenizeReport;
}

export interface TokenizeCalls {
  /** The rows to use, in this order; all of them by default. */
  rows?: readonly number[];
  /** No sequences at all are an empty result instead of an error. */
  mayBeEmpty?: boolean;
  /** A row whose value is of no use, or that the chat template refuses, is skipped as `invalid`; where all are, the first error is thrown. */
  skipInvalid?: boolean;
  /** Called every few rows and awaited, so that a caller can show progress, give way or throw `run/cancelled`. */
  onProgress?: (done: number, total: number) => void | Promise<void>;
}

/**
 * A function that tokenises single rows, each on its own, whatever the strategy: for a preview. Columns and template are checked at once.
 * @throws AppError `data/missing-column`, `template/invalid`, `recipe/invalid`; and `data/invalid` when a row's value is of no use.
 */
export function rowTokenizer(context: RowContext): (index: number) => RowResult {
  const sequences = rowSequences(context);
  return (index) => sequences(index)[0];
}

/** The same, for rows that give several sequences: a conversation that is learnt turn by turn. */
export function rowSequences(context: RowContext): (index: number) => [RowResult, ...RowResult[]] {
  const draft = draftRows(context);
  return (index) => {
    const drafted = draft(index);
    if ('why' in drafted) return [drafted];
    const [first, ...others] = draftsOf(drafted).map((each) => cutToLength(each, context.options.maxLength));
    return first === undefined ? [{ kind: 'skipped', why: 'no-loss', length: 0 }] : [first, ...others];
  };
}

/** Skips rows whose value is of no use, or that the chat template refuses. `first` is told of the first of them. */
function skippingInvalid(draft: DraftRow, first: (error: AppError) => void): DraftRow {
  let isFirst = true;
  return (index) => {
    try {
      return draft(index);
    } catch (error) {
      if (!(error instanceof AppError) || (error.code !== 'data/invalid' && error.code !== 'template/invalid')) throw error;
      if (isFirst) first(error);
      isFirst = false;
      return { kind: 'skipped', why: 'invalid', length: 0 };
    }
  };
}

function draftsOf(drafted: Draft | readonly Draft[]): readonly Draft[] {
  return 'tokens' in drafted ? [drafted] : drafted;
}

function draftRows(context: RowContext): DraftRow {
  const { options } = context;
  checkMapping(options);
  const { mapping } = options;
  switch (mapping.kind) {
    case 'text':
      return oliveLines(context);
    case 'template':
      return options.loss === 'all' ? oliveLines(context) : templateAnswerRows(context, mapping);
    case 'messages':
      return options.loss === 'all' ? oliveLines(context) : assistantTurnRows(context, mapping);
    case 'prompt-completion':
      return promptCompletionRows(context, mapping);
    case 'turns':
      return options.loss === 'all' ? oliveLines(context) : turnRows(context, mapping);
    default:
      return unreachable(mapping);
  }
}

/**
 * Tokenises rows into at most `maxSamples` sequences of at most `maxLength` tokens.
 * @throws AppError as `rowTokenizer`; unless `mayBeEmpty`, `data/no-rows` when there are no rows or they fill no block, and
 * `data/no-loss` when all were skipped.
 */
export async function tokenizeRows(context: RowContext, calls: TokenizeCalls = {}): Promise<TokenizedRows> {
  const { set, options } = context;
  let firstInvalid: AppError | null = null;
  const draft = calls.skipInvalid === true ? skippingInvalid(draftRows(context), (error) => (firstInvalid = error)) : draftRows(context);
  const joiner = options.strategy === 'join' ? new BlockJoiner(context) : undefined;
  const wanted = calls.rows ?? set.rows.map((_, i) => i);
  if (wanted.length === 0 && calls.mayBeEmpty !== true)
    throw new AppError('data/no-rows', `${set.file} has no rows`, { file: set.file, found: 0, expected: 1 });
  const out: TokenizedRows = { sequences: [], rows: [], lengths: [], report: emptyReport() };
  const { report } = out;
  const limit = options.maxSamples ?? Number.POSITIVE_INFINITY;
  for (const [done, index] of wanted.entries()) {
    if (out.sequences.length >= limit) break;
    if (done % ROWS_PER_TURN === 0) await calls.onProgress?.(done, wanted.length);
    report.rowsRead++;
    const drafted = draft(index);
    if ('why' in drafted) {
      noteSkipped(report, index, drafted);
      continue;
    }
    const drafts = draftsOf(drafted);
    if (joiner !== undefined) {
      for (const { tokens } of drafts) {
        for (const block of joiner.add(index, tokens).slice(0, limit - out.sequences.length)) addSequence(out, block.row, block.sequence);
      }
      continue;
    }
    addDrafts(out, index, drafts, options.maxLength, limit);
  }
  await calls.onProgress?.(wanted.length, wanted.length);
  report.droppedTokens += joiner?.left ?? 0;
  report.invalidReason = (firstInvalid as AppError | null)?.message ?? null;
  if (firstInvalid !== null && report.invalid.count === report.rowsRead) throw firstInvalid as AppError;
  if (out.sequences.length === 0 && calls.mayBeEmpty !== true) throw nothingToTrainOn(context, report, joiner?.left);
  return out;
}

/** Cuts the drafts of a row and adds those that have loss, up to `limit` sequences in all. */
function addDrafts(out: TokenizedRows, row: number, drafts: readonly Draft[], maxLength: number, limit: number): void {
  const { report } = out;
  const results = drafts.map((draft) => cutToLength(draft, maxLength));
  const used = results.filter((result) => result.kind === 'sequence').slice(0, limit - out.sequences.length);
  if (used.length === 0) {
    noteSkipped(report, row, { kind: 'skipped', why: 'no-loss', length: 0 });
    return;
  }
  if (used.some(({ length, sequence }) => length > sequence.tokens.length)) noteRow(report.truncated, row);
  if (used.some(({ merged }) => merged)) noteRow(report.merged, row);
  if (drafts.length > 1) noteRow(report.split, row);
  if (drafts.some(({ dropsReasoning }) => dropsReasoning === true)) noteRow(report.droppedReasoning, row);
  for (const { sequence, length } of used) {
    report.droppedTokens += length - sequence.tokens.length;
    addSequence(out, row, sequence, length);
  }
}

function noteSkipped(report: TokenizeReport, row: number, { why }: SkippedRow): void {
  noteRow(report[why === 'no-loss' ? 'noLoss' : why], row);
}

function addSequence({ sequences, rows, lengths, report }: TokenizedRows, row: number, sequence: Sequence, length?: number): void {
  sequences.push(sequence);
  rows.push(row);
  lengths.push(length ?? sequence.tokens.length);
  report.tokens += sequence.tokens.length;
  report.lossTokens += lossTokenCount(sequence);
  report.longest = Math.max(report.longest, sequence.tokens.length);
}

function emptyReport(): TokenizeReport {
  return {
    rowsRead: 0,
    tokens: 0,
    lossTokens: 0,
    longest: 0,
    truncated: noRows(),
    empty: noRows(),
    missing: noRows(),
    invalid: noRows(),
    invalidReason: null,
    noLoss: noRows(),
    merged: noRows(),
    split: noRows(),
    droppedReasoning: noRows(),
    droppedTokens: 0,
  };
}

function nothingToTrainOn({ set, options }: RowContext, report: TokenizeReport, joinedTokens: number | undefined): AppError {
  const { file } = set;
  if (joinedTokens !== undefined) {
    const expected = `more than ${options.maxLength}`;
    return new AppError(
      'data/no-rows',
      `${file}: ${report.rowsRead} rows give ${joinedTokens} tokens when joined; ${expected} were expected to fill a block. ` +
        `Lower the maximum length, or take strategy 'line-by-line'.`,
      { file, found: joinedTokens, expected },
    );
  }
  const reasons = [
    [report.empty.count, 'have no text'],
    [report.missing.count, 'lack a value that the template needs'],
    [report.invalid.count, 'hold a value of no use'],
    [report.noLoss.count, `have no token with loss within ${options.maxLength} tokens`],
  ] as const;
  const found = reasons.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(', ');
  return new AppError('data/no-loss', `${file}: of ${report.rowsRead} rows ${found}; at least one with loss was expected`, { file, found });
}
