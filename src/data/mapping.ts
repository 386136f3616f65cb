/** How rows become text and which of it carries loss: plain data, shared by the recipe and the tokenising. */
import { AppError } from '#base/errors.ts';

/** Which columns of a row hold what. */
export type DataMapping =
  /** One column is the text (Olive's `--text_field`). */
  | { kind: 'text'; column: string }
  /** A template with `{column}` placeholders (Olive's `--text_template`); with loss on the answer, the last placeholder is the answer. */
  | { kind: 'template'; template: string }
  /** A column holds a conversation, `[{role, content}]` (Olive's `--use_chat_template`), and another the tools that may be called in it. */
  | { kind: 'messages'; column: string; tools?: string; thinking?: Thinking }
  /** Two columns, both texts or both conversations (TRL's prompt-completion rows). */
  | { kind: 'prompt-completion'; prompt: string; completion: string; thinking?: Thinking }
  /**
   * Columns are what is said: those of the user one a line, without the empty ones, then the assistant's. Through the model's chat
   * template; with `plain`, and for a tokenizer without one, as lines of text.
   */
  | { kind: 'turns'; system?: string; user: readonly string[]; assistant: string; plain?: boolean; thinking?: Thinking };

export const MAPPING_KINDS = [
  'text',
  'template',
  'messages',
  'prompt-completion',
  'turns',
] as const satisfies readonly DataMapping['kind'][];

/**
 * Whether a model that may think is asked to, in training as later. `auto`, where nothing is said: with thinking for answers that have
 * it, without for those that have none. `off` leaves it out of the answers that have it.
 */
export type Thinking = 'auto' | 'on' | 'off';
export const THINKING = ['auto', 'on', 'off'] as const satisfies readonly Thinking[];

/** `join`: rows one after another, cut into blocks of one length. `line-by-line`: each row a sequence. Olive's names. */
export type Strategy = 'join' | 'line-by-line';
export const STRATEGIES = ['join', 'line-by-line'] as const satisfies readonly Strategy[];

/** Which tokens carry loss: every one that has one before it, or those of the answer. */
export type LossOn = 'all' | 'answer';
export const LOSS_ON = ['all', 'answer'] as const satisfies readonly LossOn[];

export interface DataOptions {
  mapping: DataMapping;
  strategy: Strategy;
  loss: LossOn;
  /** Tokens of a block, or the most that a row may have. */
  maxLength: number;
  /** The most sequences to make; null for all. */
  maxSamples: number | null;
  /** Puts the texts of the beginning and end tokens around each row. Loss on all tokens only: otherwise they are placed by themselves. */
  addSpecialTokens: boolean;
  /** Text between joined rows; empty for none. */
  joiner: string;
}

/** Olive's default between joined rows. @source olive 0.13 olive/data/component/text_generation.py (TextGenParams) */
export const DEFAULT_JOINER = '\n\n';

/** Why a combination has no meaning, or null when it has one. */
export function mappingProblem(options: Pick<DataOptions, 'mapping' | 'strategy' | 'loss'>): { found: string; expected: string } | null {
  const { mapping, strategy, loss } = options;
  if (strategy === 'join' && loss === 'answer') {
    return { found: "strategy 'join' with loss on the answer", expected: "'line-by-line', as joined rows carry loss on every token" };
  }
  if (strategy === 'join' && mapping.kind === 'prompt-completion') {
    return { found: "strategy 'join' with prompt-completion rows", expected: "'line-by-line', or a template that joins the two columns" };
  }
  if (loss === 'answer' && mapping.kind === 'text') {
    return { found: 'loss on the answer of a text column', expected: 'a template, a conversation, or a prompt and a completion column' };
  }
  return null;
}

/** @throws AppError `recipe/invalid` for a combination without meaning. */
export function checkMapping(options: Pick<DataOptions, 'mapping' | 'strategy' | 'loss'>): void {
  const problem = mappingProblem(options);
  if (problem !== null)
    throw new AppError('recipe/invalid', `${problem.found} was found, ${problem.expected} was expected`, { ...problem });
}
