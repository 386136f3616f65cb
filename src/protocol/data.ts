/** What the page may ask of the data worker, and what it hears. Plain data, safe to clone. */
import type { DataMapping, LossOn, Strategy } from '#data/mapping.ts';
import type { HeldOutRow, NamedFile, PackedRows } from '#protocol/trainer.ts';

export interface TokenizerSummary {
  vocabSize: number;
  bosToken: string | null;
  eosToken: string | null;
  hasChatTemplate: boolean;
}

export interface DatasetSummary {
  name: string;
  columns: string[];
  rowCount: number;
  /** What the columns look like, to begin with; null: nothing was recognised, the user has to say. */
  guess: DataMapping | null;
}

export interface DataSettings {
  mapping: DataMapping;
  strategy: Strategy;
  loss: LossOn;
  maxLength: number;
  /** Below 1: a share of the rows; else a number of rows. */
  heldOut: number;
  seed: number;
}

export interface PreviewToken {
  id: number;
  text: string;
  hasLoss: boolean;
}

export interface Preview {
  row: number;
  /** The rendered text as the model sees it. */
  text: string;
  tokens: PreviewToken[];
  /** Tokens before truncation. */
  fullLength: number;
  /** Why the row is left out; null when it is used. */
  skipped: string | null;
}

export interface DataReport {
  rowCount: number;
  trainRows: number;
  heldOutRows: number;
  tokens: number;
  lossTokens: number;
  minTokens: number;
  medianTokens: number;
  maxTokens: number;
  truncatedRows: number;
  /** Rows left out, with the reason and some of their numbers. */
  skipped: { why: string; count: number; rows: number[] }[];
}

export interface DataCalls {
  /** The tokenizer of the model's files (tokenizer.json of a folder, or a GGUF's own). */
  openTokenizer(params: { name: string; files: NamedFile[] }): TokenizerSummary;
  openDataset(params: NamedFile): DatasetSummary;
  rows(params: { start: number; end: number }): Record<string, unknown>[];
  preview(params: { row: number; settings: DataSettings }): Preview;
  /** Tokenises every row; sequences wait for `takeRows`. */
  prepare(params: { settings: DataSettings }): DataReport;
  /** What `prepare` made last: training rows to send to the trainer, and held-out rows to answer (at most `limit`). */
  takeRows(params: { limit: number }): { rows: PackedRows; heldOut: HeldOutRow[]; rowLengths: Uint32Array };
  /** A user's message rendered as the prompt that the data's own mapping makes, for chat. */
  renderPrompt(params: { settings: DataSettings; message: string }): { prompt: string };
}

export interface DataEvents {
  progress: { what: string; done: number; total: number; perSecond: number; secondsLeft: number | null };
}
