/** What the page may ask of the data worker, and what it hears. Plain data, safe to clone. */
import type { HoldOutOptions, StratumCount } from '#data/hold-out.ts';
import type { DataMapping, DataOptions, LossOn } from '#data/mapping.ts';
import type { HubDatasetChoice, HubDatasetState, HubModelChoice, HubWait } from '#protocol/hub.ts';
import type { HeldOutRow, NamedFile, PackedRows, ValidationSet } from '#protocol/trainer.ts';

export type { HoldOutOptions, StratumCount } from '#data/hold-out.ts';
export type { DataMapping, DataOptions, LossOn, Strategy, Thinking } from '#data/mapping.ts';

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

/** What was recognised, by names of columns and values of the first rows: what a sentence about it needs. */
export type Recognised =
  /** A conversation of `role` and `content`, with the column of its tools, and whether messages have OpenAI's `weight`. */
  | { kind: 'openai-chat'; column: string; tools: string | null; hasWeights: boolean; hasTools: boolean }
  /** A conversation of `from` and `value`. */
  | { kind: 'sharegpt'; column: string; tools: string | null }
  | { kind: 'alpaca'; instruction: string; input: string; output: string }
  /** Columns of these very names: texts, or conversations. */
  | { kind: 'prompt-completion'; prompt: string; completion: string }
  /** Two columns whose names say which is asked and which answers. */
  | { kind: 'prompt-answer'; prompt: string; answer: string }
  | { kind: 'context-question-answer'; context: string; question: string; answer: string }
  /** Two columns of text whose names say nothing: their order decides. */
  | { kind: 'two-columns'; prompt: string; answer: string }
  /** One column of text; of a plain text file, what a row of it is. */
  | { kind: 'text'; column: string; unit: 'paragraph' | 'line' | null };

export interface DetectedMapping extends MappingGuess {
  recognised: Recognised;
  /** The guess must not be used before the user has said that it is right, for this reason; null: it may. */
  needsConfirmation: 'context-question-answer' | null;
  /** The same columns through the model's chat template, as an instruction-tuned model wants them; null where the guess does that, or cannot. */
  asChat: MappingGuess | null;
}

export interface DatasetSummary {
  name: string;
  columns: string[];
  rowCount: number;
  /** Rows of a file of their own that are held out, whatever the settings say; null: they are drawn from the rows. */
  heldOut: { name: string; rowCount: number } | null;
  /** What the file turned out to be, whatever its name. */
  format: 'json' | 'jsonl' | 'csv' | 'tsv' | 'parquet' | 'text';
  /** To begin with; null: nothing was recognised, the user has to say. */
  guess: DetectedMapping | null;
}

/** How rows become sequences, and which are held out. */
export type DataSettings = DataOptions & HoldOutOptions;

/** No text, nothing in a column that the mapping needs, a value of no use there, or no loss within the greatest length. */
export type SkipReason = 'empty' | 'missing' | 'invalid' | 'no-loss';

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
  /** Which tokens come from no column: a template's own words, a hidden system prompt among them, and tokens at the ends. Ascending. */
  added: { start: number; end: number }[];
  /** Sequences that the row gives, and which of them this is: a conversation may be learnt turn by turn. */
  parts: number;
  part: number;
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
  /** Of a hundred sequences five are longer. */
  p95Tokens: number;
  /** Sequences by their tokens before truncation. */
  lengths: LengthHistogram;
  /** The longest row before truncation. */
  longestRow: { row: number; tokens: number } | null;
  /** Columns that hold a few values again and again, the most frequent value first. */
  labels: LabelBalance[];
  /** All that was found, the worst first. Rows that are drawn to be held out are among them. */
  findings: Finding[];
  truncatedRows: RowCount;
  mergedRows: RowCount;
  skipped: SkippedRows[];
  /** Held-out rows whose loss is measured: those that are not left out. */
  validationRows: number;
  /** The same rows, or blocks of them joined among themselves. */
  validationSequences: number;
  validationTokens: number;
  validationLossTokens: number;
  /** Held-out rows that are left out of the measure. */
  validationSkipped: SkippedRows[];
  /** So few validation rows that a difference between two measures says more of the rows than of the model. */
  isTooFewToJudge: boolean;
  /** Rows that say almost the same as an earlier one, in `duplicateGroups` groups that the split left whole. None where they are not looked for. */
  nearDuplicateRows: RowCount;
  duplicateGroups: number;
  /** Rows of the held-out file that say almost the same as a training row; they are measured all the same. None where they are not looked for. */
  leakedRows: RowCount;
  /** The most frequent values of the column that the split is even in, a hundred at most; null without one. */
  strata: StratumCount[] | null;
}

/** Bin i has the sequences of `i * binTokens` to below `(i + 1) * binTokens` tokens; at most 32 bins, each a power of two wide. */
export interface LengthHistogram {
  binTokens: number;
  counts: number[];
}

export interface LabelBalance {
  column: string;
  values: { value: string; count: number }[];
}

export type Severity = 'info' | 'warning' | 'problem';

/** What is found, and what `detail` then holds. */
export type FindingKind =
  /** { rows, expected } */
  | 'few-rows'
  /** Left out: no text. */
  | 'empty'
  /** Left out: nothing in a column that is needed. */
  | 'missing'
  /** Left out: a value of no use, as a message without a role, or a row that the chat template refuses. { reason }: of the first. */
  | 'invalid'
  /** Left out: nothing with loss. { maxLength } */
  | 'no-loss'
  /** { maxLength, longest } */
  | 'truncated'
  | 'merged'
  /** A sequence a turn: what is asked before one of them is no beginning of the whole conversation. */
  | 'split-turns'
  /** The chat template leaves out what an answer says that was thought: it is not learnt. */
  | 'dropped-reasoning'
  /** The same, letter by letter, as an earlier row. */
  | 'exact-duplicate'
  /** Almost the same as an earlier row, exact ones left out. { groups } */
  | 'near-duplicate'
  /** Held-out rows of a file of their own that are trained on. */
  | 'leak'
  /** { column }; a warning where the mapping names the column. */
  | 'empty-field'
  | 'empty-completion'
  /** { column, value, share }: one value is in nearly all rows, or in fewer than five. */
  | 'label-imbalance'
  /** { example } */
  | 'replacement-character'
  | 'mojibake'
  | 'missing-beginning'
  | 'doubled-beginning'
  | 'missing-end'
  | 'doubled-end'
  /** { text }: the system prompt that the template puts in by itself, and no row has. */
  | 'hidden-prompt'
  /** OpenAI's checks. { keys }, { roles } of what is not known. */
  | 'chat-data-type'
  | 'chat-missing-key'
  | 'chat-unknown-key'
  | 'chat-unknown-role'
  | 'chat-missing-content'
  | 'chat-no-assistant'
  | 'chat-no-user';

export interface Finding extends RowCount {
  kind: FindingKind;
  severity: Severity;
  /** Whose rows are counted: the dataset's, or those of a held-out file of its own. */
  of: 'dataset' | 'held-out';
  detail: Record<string, string | number>;
}

export type SkippedRows = { why: SkipReason } & RowCount;

/** Rows for the trainer. */
export interface TakenRows {
  train: PackedRows;
  /** Null: no held-out row gives a sequence. */
  validation: ValidationSet | null;
}

/** What `prepare` finds; the lengths are those of the sequences that `takeRows` gives. */
export interface PreparedData {
  report: DataReport;
  rowLengths: Uint32Array;
  validationLengths: Uint32Array;
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
  /** The tokenizer of a model that `openHubModel` opened: its files are not here. */
  openHubTokenizer(params: HubModelChoice): TokenizerSummary;
  /** Rows of a hub's dataset, read by range as they are needed. A later call ends an earlier one, as `cancelHubDataset` does. */
  openHubDataset(params: HubDatasetChoice): DatasetSummary & { hub: HubDatasetState };
  cancelHubDataset(): void;
  rows(params: { start: number; end: number }): Record<string, unknown>[];
  preview(params: { row: number; settings: DataSettings; part?: number }): Preview;
  /** Splits and tokenises every row; sequences wait for `takeRows`. A later call ends an earlier one with `run/cancelled`. */
  prepare(params: { settings: DataSettings }): PreparedData;
  /** The rows that `prepare` made last, to send to the trainer. */
  takeRows(): TakenRows;
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
  hubWait: HubWait;
}
