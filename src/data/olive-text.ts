/** Rows as Olive sees them: one text a row, loss on every token, joined into blocks or one by one. Behaviour of Olive 0.13's data path. */
import { AppError, unreachable } from '#base/errors.ts';
import { makeSequence, type Sequence } from '#data/batch.ts';
import { chatRowOf, isChat, plainTurns, turnsOf } from '#data/chat-rows.ts';
import { csvText } from '#data/csv-text.ts';
import type { DraftRow, RowContext } from '#data/drafts.ts';
import { pythonText } from '#data/python-text.ts';
import { badValue, requireColumn } from '#data/rows.ts';
import { parseTemplate, renderTemplate } from '#data/template.ts';

/** The text of the row with this index; empty for a row that Olive leaves out. */
export type RowText = (index: number) => string;

/**
 * The text of each row: a column, a template filled as Python fills it, or a rendered conversation.
 * With `addSpecialTokens` the texts of the beginning and end tokens stand around it, a space between. A tokenizer that lacks one
 * gets none, where Olive writes "None".
 * @throws AppError `data/missing-column`, `template/invalid` at once; `data/invalid` from a row whose column holds no text.
 * @source olive 0.13 olive/data/component/text_generation.py (get_text)
 */
export function oliveText(context: RowContext): RowText {
  const { options, tokenizer } = context;
  const text = columnText(context);
  if (!options.addSpecialTokens || options.mapping.kind === 'messages') return text;
  const [before, after] = [tokenizer.bosId, tokenizer.eosId].map((id) => (id === null ? '' : tokenizer.tokenText(id)));
  return (index) => [before, text(index), after].filter((part, i) => i === 1 || part !== '').join(' ');
}

function columnText(context: RowContext): RowText {
  const { set, options, renderChat } = context;
  const { mapping } = options;
  const rowAt = (index: number) => set.rows[index] ?? {};
  switch (mapping.kind) {
    case 'text':
      requireColumn(set, mapping.column);
      return (index) => {
        const value = rowAt(index)[mapping.column];
        if (typeof value !== 'string') throw badValue(set, index, mapping.column, value, 'text');
        return value;
      };
    case 'template': {
      const template = parseTemplate(mapping.template, set);
      const valueText = set.textCells ? csvText(set.rows) : pythonText(set.rows);
      return (index) => renderTemplate(template, rowAt(index), valueText);
    }
    case 'messages':
      requireColumn(set, mapping.column);
      return (index) => {
        const { messages, tools } = chatRowOf(context, mapping, index);
        return renderChat(messages, { addGenerationPrompt: false, tools });
      };
    case 'turns':
      for (const column of [...mapping.user, mapping.assistant]) requireColumn(set, column);
      return (index) => {
        const { before, answer } = turnsOf(mapping, rowAt(index));
        if (!isChat(context, mapping)) return plainTurns(mapping, rowAt(index)) + answer.content;
        return renderChat([...before, answer], { addGenerationPrompt: false });
      };
    case 'prompt-completion':
      throw new AppError('internal', 'prompt-completion rows have no text of their own');
    default:
      return unreachable(mapping);
  }
}

/** Each row a sequence of its own (`line-by-line`). Olive pads to the maximum length; padding carries no loss, so it is left out. */
export function oliveLines(context: RowContext): DraftRow {
  const text = oliveText(context);
  return (index) => {
    const whole = text(index);
    if (whole === '') return { kind: 'skipped', why: 'empty', length: 0 };
    return { tokens: context.tokenizer.encode(whole, { addSpecialTokens: false }), hasLoss: () => true, merged: false };
  };
}

/** One block of joined rows. */
export interface Block {
  sequence: Sequence;
  /** The row that the first token came from, its joiner included. */
  row: number;
}

/**
 * Joins rows into blocks of `maxLength` tokens (`join`): each row's tokens and then the joiner's, cut without overlap. A block is
 * made once there is at least one token past it, so an exact fit at the very end makes none, and what is left at the end is dropped.
 * It takes a row at a time, so that a caller can stop, report or pause in between.
 * @source olive 0.13 olive/data/component/text_generation.py (text_gen_pre_process, strategy JOIN)
 */
export class BlockJoiner {
  readonly #maxLength: number;
  readonly #joiner: Uint32Array;
  /** Tokens that are in no block yet. */
  #pending: number[] = [];
  /** For each row that still has tokens pending: its number and the place of its first pending token. */
  #rows: { row: number; at: number }[] = [];

  constructor({ options, tokenizer }: RowContext) {
    this.#maxLength = options.maxLength;
    this.#joiner = options.joiner === '' ? new Uint32Array(0) : tokenizer.encode(options.joiner, { addSpecialTokens: false });
  }

  /** Tokens that no block has taken. */
  get left(): number {
    return this.#pending.length;
  }

  /** Takes a row's tokens and returns the blocks that are complete with them. */
  add(row: number, tokens: Uint32Array): Block[] {
    this.#rows.push({ row, at: this.#pending.length });
    for (const token of tokens) this.#pending.push(token);
    for (const token of this.#joiner) this.#pending.push(token);
    const blocks: Block[] = [];
    let start = 0;
    while (this.#pending.length - start > this.#maxLength) {
      const block = Uint32Array.from(this.#pending.slice(start, start + this.#maxLength));
      blocks.push({ sequence: makeSequence(block, () => true), row: this.#rowAt(start) });
      start += this.#maxLength;
    }
    if (start > 0) {
      const first = this.#rowAt(start);
      this.#rows = [{ row: first, at: 0 }, ...this.#rows.filter((r) => r.at > start).map((r) => ({ row: r.row, at: r.at - start }))];
      this.#pending = this.#pending.slice(start);
    }
    return blocks;
  }

  #rowAt(place: number): number {
    return this.#rows.findLast((r) => r.at <= place)?.row ?? 0;
  }
}
