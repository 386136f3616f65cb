/** What the page may ask of the data worker, and what it hears. Plain data, safe to clone. */
import type { DataMapping, DataOptions, LossOn } from '#data/mapping.ts';
import type { HeldOutRow, NamedFile, PackedRows } from '#protocol/trainer.ts';

export type { DataMapping, DataOptions, LossOn, Strategy } from '#data/mapping.ts';

export interface TokenizerSummary {
  vocabSize: number;
  bosToken: string | null;
  eosToken: string | null;
  hasChatTemplate: boolean;
}

/** What the columns look like. */
export interface MappingGuess {
  mapping: DataMapping;
  loss: LossOn;
}

export interface DatasetSummary {
  name: string;
  columns: string[];
  rowCount: number;
  /** Rows of a file of their own that are held out, whatever the settings say; null: they are drawn from the rows. */
  heldOut: { name: string; rowCount: number } | null;
  /** To begin with; null: nothing was recognised, the user has to say. */
  guess: MappingGuess | null;
}

/** How rows become sequences, and which are held out. */
export interface DataSettings extends DataOptions {
  /** Below 1: a share of the rows; else a number of rows. Without meaning when the held-out rows have a file of their own. */
  heldOut: number;
  seed: number;
}

/** No text, nothing in a column that the mapping needs, or no loss within the greatest length. */
export type SkipReason = 'empty' | 'missing' | 'no-loss';

export interface PreviewToken {
  id: number;
  /** What it stands for: " hello", or `<0xE4>` for a byte that is no whole character. */
  text: string;
  hasLoss: boolean;
  isSpecial: boolean;
}

export interface Preview {
  row: number;
  /** The tokens as text, as the model sees it. */
  text: string;
  /** After truncation; none when the row is left out. */
  tokens: PreviewToken[];
  /** Tokens before truncation. */
  fullLength: number;
  /** The last tokens of the prompt and the first of the answer merged into others: the model is asked in another context than it learns in. */
  isMerged: boolean;
  /** Why the row is left out, and the column that it lacks; null when it is used. */
  skipped: { why: SkipReason; column: string | null } | null;
}

export interface DataReport {
  rowCount: number;
  trainRows: number;
  heldOutRows: number;
  /** Rows, or blocks of joined rows. */
  sequences: number;
  tokens: number;
  lossTokens: number;
  minTokens: number;
  medianTokens: number;
  maxTokens: number;
  truncatedRows: RowCount;
  mergedRows: RowCount;
  skipped: ({ why: SkipReason } & RowCount)[];
}

/** How many rows, and the first of their indices. */
export interface RowCount {
  count: number;
  rows: number[];
}

export interface DataCalls {
  /** The tokenizer of the model's files (tokenizer.json of a folder, or a GGUF's own). The one before stays when they are of no use. */
  openTokenizer(params: { name: string; files: NamedFile[] }): TokenizerSummary;
  /** The dataset before stays when the file is of no use. */
  openDataset(params: NamedFile & { heldOut?: NamedFile }): DatasetSummary;
  rows(params: { start: number; end: number }): Record<string, unknown>[];
  preview(params: { row: number; settings: DataSettings }): Preview;
  /** Tokenises every row; sequences wait for `takeRows`. A later call ends an earlier one with `run/cancelled`. */
  prepare(params: { settings: DataSettings }): { report: DataReport; rowLengths: Uint32Array };
  /** The training rows that `prepare` made last, to send to the trainer. */
  takeRows(): PackedRows;
  /** The first held-out rows that have an answer, at most `limit`: what base and tuned are asked. */
  heldOut(params: { limit: number }): HeldOutRow[];
  /** Names of what `renderPrompt` is to be filled with: the prompt's columns, or `message` of a conversation. */
  promptFields(params: { settings: DataSettings | null }): string[];
  /** The prompt that the data's own mapping makes, for chat. Without settings: the model's chat template, or the message as it stands. */
  renderPrompt(params: { settings: DataSettings | null; fields: Record<string, string> }): { prompt: string };
}

export interface DataEvents {
  /** At most ten a second, while `prepare` works. */
  progress: { done: number; total: number; perSecond: number; secondsLeft: number | null };
}
