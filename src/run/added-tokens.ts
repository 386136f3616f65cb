/** Which tokens of a row come from none of its columns: a template's own words and the tokens at the ends. Knows mappings and templates. */
import { completionText } from '#data/answer-rows.ts';
import { chatRow, type ChatRow, chatRowOf, isChat, thinksFor, turnsOf } from '#data/chat-rows.ts';
import { type ChatMessage, hasReasoning, looksLikeMessages, reasoningOf, withoutReasoning } from '#data/conversation.ts';
import type { RowContext } from '#data/drafts.ts';
import { own, plainText } from '#data/rows.ts';
import { parseTemplate, valueAt } from '#data/template.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** A text of the row and what stands before it; the text may be trimmed or written otherwise. */
interface Piece {
  before: string;
  content: string;
}

interface Pieces {
  pieces: Piece[];
  /** Names and values of tools and of their calls: templates write them as JSON. */
  leaves: string[];
  /** The template has written the beginning token. */
  hasBeginning: boolean;
}

/** Which of the sequences that a row gives. */
interface PartPlace {
  part: number;
  parts: number;
}

/** Ranges `[start, end)` of `tokens`, which are those of one part of the row, in order. */
export function addedTokens(context: RowContext, index: number, place: PartPlace, tokens: Uint32Array): { start: number; end: number }[] {
  const { text, units } = textOf(tokens, context.tokenizer);
  const isAdded = new Uint8Array(text.length).fill(1);
  const { pieces, leaves, hasBeginning } = piecesOf(context, index, place);
  const { bosId } = context.tokenizer;
  let cursor = !hasBeginning && bosId !== null && tokens[0] === bosId ? units[0].length : 0;
  for (const [i, { before, content }] of pieces.entries()) {
    const at = text.indexOf(before, cursor);
    if (at < 0) break;
    const start = at + before.length;
    const end = contentEnd(text, start, content, pieces[i + 1]?.before ?? '');
    isAdded.fill(0, start, end);
    cursor = end;
  }
  cursor = 0;
  for (const leaf of leaves) {
    const at = text.indexOf(leaf, cursor);
    if (at < 0) continue;
    isAdded.fill(0, at, at + leaf.length);
    cursor = at + leaf.length;
  }
  const ranges: { start: number; end: number }[] = [];
  for (let token = 0; token < tokens.length; token++) {
    if (units[token].some((unit) => isAdded[unit] === 0)) continue;
    const last = ranges.at(-1);
    if (last?.end === token) last.end++;
    else ranges.push({ start: token, end: token + 1 });
  }
  return ranges;
}

function contentEnd(text: string, start: number, content: string, next: string): number {
  const trimmed = content.trim();
  for (const form of [content, trimmed]) if (text.startsWith(form, start)) return start + form.length;
  // A row that was cut ends inside its content.
  if (content.startsWith(text.slice(start))) return text.length;
  const end = next === '' ? -1 : text.indexOf(next, start);
  return end < 0 ? text.length : end;
}

/** Marks that stand for the texts of a conversation while it is rendered. */
const [OPEN, CLOSE] = ['\ue000', '\ue001'];

function piecesOf(context: RowContext, index: number, place: PartPlace): Pieces {
  const { set, options, tokenizer } = context;
  const { mapping } = options;
  const row = set.rows[index] ?? {};
  const plain = (pieces: Piece[]): Pieces => ({ pieces, leaves: [], hasBeginning: false });
  const valueText = (column: string) => plainText(own(row, column) ?? '', column);
  switch (mapping.kind) {
    case 'text':
      return plain([{ before: '', content: valueText(mapping.column) }]);
    case 'template': {
      const pieces: Piece[] = [];
      let before = '';
      for (const each of parseTemplate(mapping.template, set).parts) {
        if (each.kind === 'text') before += each.text;
        else {
          pieces.push({ before, content: plainText(valueAt(row, each.column, each.path) ?? '', each.column) });
          before = '';
        }
      }
      return plain(pieces);
    }
    case 'turns': {
      const { before, answer } = turnsOf(mapping, row);
      const messages = [...before, answer];
      if (isChat({ tokenizer }, mapping)) {
        return chatPieces(context, chatRow({ messages, isLearnt: messages.map(() => true), tools: null }, mapping.thinking), place);
      }
      return plain(messages.map(({ content }, i) => ({ before: i === 0 ? '' : '\n', content })));
    }
    case 'messages':
      return chatPieces(context, chatRowOf(context, mapping, index), place);
    case 'prompt-completion': {
      if (!looksLikeMessages(own(row, mapping.prompt))) {
        return plain([mapping.prompt, mapping.completion].map((column) => ({ before: '', content: valueText(column) })));
      }
      return chatPieces(context, completionText(context, mapping, index).row, place);
    }
  }
}

/** Renders the conversation with marks in place of its texts: what lies between the marks is the template's. */
function chatPieces({ renderChat }: RowContext, row: ChatRow, { part, parts }: PartPlace): Pieces {
  const turns = row.messages.flatMap(({ role }, i) => (role === 'assistant' && row.isLearnt[i] ? [i] : []));
  const end = parts > 1 && turns[part] !== undefined ? turns[part] + 1 : row.messages.length;
  const shown = row.messages.slice(0, end);
  const contents: string[] = [];
  const mark = (content: string): string => `${OPEN}${contents.push(content) - 1}${CLOSE}`;
  const marked = shown.map((message): ChatMessage => {
    const isThought = message.role === 'assistant' && hasReasoning(message);
    const rest = isThought ? withoutReasoning(message) : message;
    const reasoning = isThought ? { reasoning_content: mark(reasoningOf(message)) } : {};
    return { ...rest, ...reasoning, content: rest.content === '' ? '' : mark(rest.content) };
  });
  const thinking = thinksFor(
    shown.findLast(({ role }) => role === 'assistant'),
    row.thinking,
  );
  const text = renderChat(marked, { addGenerationPrompt: false, tools: row.tools, thinking });
  const pieces: Piece[] = [];
  let cursor = 0;
  for (const found of text.matchAll(/\ue000(\d+)\ue001/g)) {
    pieces.push({ before: text.slice(cursor, found.index), content: contents[Number(found[1])] ?? '' });
    cursor = found.index + found[0].length;
  }
  const calls = shown.flatMap(({ tool_calls: called }) => (Array.isArray(called) ? called.flatMap(callLeaves) : []));
  return { pieces, leaves: [...leavesOf(row.tools ?? []), ...calls], hasBeginning: true };
}

/** What templates write of a call: its function's name and arguments. */
function callLeaves(call: unknown): string[] {
  const { function: called } = call as { function?: { name?: unknown; arguments?: unknown } };
  return [...leavesOf(called?.name), ...leavesOf(called?.arguments)];
}

/** Keys and texts inside a value, in order. */
function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(leavesOf);
  return Object.entries(value).flatMap(([key, inner]) => [key, ...leavesOf(inner)]);
}

const BYTES = /^(?:<0x[0-9A-F]{2}>)+$/;

/** The tokens' text, special ones included, and for each token the characters, in UTF-16 units, that its bytes belong to. */
function textOf(tokens: Uint32Array, tokenizer: Tokenizer): { text: string; units: number[][] } {
  const encoder = new TextEncoder();
  const bytesOf = Array.from(tokens, (token) => {
    const text = tokenizer.tokenText(token);
    return BYTES.test(text) ? Array.from(text.matchAll(/<0x(..)>/g), ([, hex]) => Number.parseInt(hex, 16)) : [...encoder.encode(text)];
  });
  let [unit, next] = [0, 0];
  const units = bytesOf.map((bytes) =>
    bytes.map((byte) => {
      const isFirst = (byte & 0xc0) !== 0x80;
      if (isFirst) unit = next;
      if (isFirst) next += byte >= 0xf0 ? 2 : 1;
      return unit;
    }),
  );
  return { text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytesOf.flat())), units };
}
