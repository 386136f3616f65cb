/** The shapes between a row and its sequence, and how a draft is cut to length. Knows no template and no chat. */
import type { Tokenizer } from '#tokenizer/tokenizer.ts';
import { lossTokenCount, makeSequence, type Sequence } from '#data/batch.ts';
import type { ChatMessage } from '#data/conversation.ts';
import type { DataOptions } from '#data/mapping.ts';
import type { RowSet } from '#data/rows.ts';

export interface ChatOptions {
  /** Ends the text with the opening of an assistant's message. */
  addGenerationPrompt: boolean;
  /** Tools as JSON schemas. */
  tools?: readonly object[] | null;
  /** Whether a model that may think is to; undefined: as the template has it by itself. */
  thinking?: boolean;
}

/** Renders a conversation as the model was trained to see it. */
export type ChatRenderer = (messages: readonly ChatMessage[], options: ChatOptions) => string;

/** All that making tokens of a row needs. */
export interface RowContext {
  set: RowSet;
  options: DataOptions;
  tokenizer: Tokenizer;
  renderChat: ChatRenderer;
}

/** The tokens of a row before truncation, and the rule for which of them carry loss. */
export interface Draft {
  tokens: Uint32Array;
  hasLoss: (index: number) => boolean;
  /** The prompt's last tokens merged with the answer's first: the model learns from another context than it will be asked in. */
  merged: boolean;
  /** The template leaves out what an answer says that was thought: it is not learnt. */
  dropsReasoning?: boolean;
}

/** A row that gives no sequence: no text, nothing in a column that it needs (`column`), a value of no use, or no loss within the maximum length. */
export interface SkippedRow {
  kind: 'skipped';
  why: 'empty' | 'missing' | 'invalid' | 'no-loss';
  /** Tokens before truncation. */
  length: number;
  column?: string;
}

export interface TokenizedRow {
  kind: 'sequence';
  sequence: Sequence;
  /** Tokens before truncation. */
  length: number;
  merged: boolean;
}

export type RowResult = TokenizedRow | SkippedRow;

/** Makes the draft of the row with this index; several of a conversation that is learnt turn by turn. */
export type DraftRow = (index: number) => Draft | readonly Draft[] | SkippedRow;

/** Keeps the first `maxLength` tokens, as TRL and Olive do. A row whose loss was cut off is of no use. */
export function cutToLength(draft: Draft, maxLength: number): RowResult {
  const length = draft.tokens.length;
  const sequence = makeSequence(draft.tokens.slice(0, maxLength), draft.hasLoss);
  if (lossTokenCount(sequence) === 0) return { kind: 'skipped', why: 'no-loss', length };
  return { kind: 'sequence', sequence, length, merged: draft.merged };
}

/** Number of leading tokens that two sequences share. */
export function commonPrefixLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const shortest = Math.min(a.length, b.length);
  let length = 0;
  while (length < shortest && a[length] === b[length]) length++;
  return length;
}
