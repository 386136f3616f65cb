/** Prompts for which an answer is asked: of held-out rows, with the answer that is expected, and of a user's own words. Knows no file. */
import { unreachable } from '#base/errors.ts';
import { promptTokens } from '#data/answer-rows.ts';
import { type ChatMessage, looksLikeMessages, readMessages } from '#data/conversation.ts';
import type { RowContext } from '#data/drafts.ts';
import type { DataMapping } from '#data/mapping.ts';
import { plainText, type RowSet } from '#data/rows.ts';
import { missingValue, parseTemplate, renderTemplate, splitAtAnswer, type Template } from '#data/template.ts';

export interface HeldOutPrompt {
  /** As the model sees it, special tokens included. */
  promptText: string;
  prompt: Uint32Array;
  expected: string;
}

type ColumnSet = Pick<RowSet, 'file' | 'columns'>;

/** The field that stands for a user's message where the mapping names no column for it. */
export const MESSAGE_FIELD = 'message';

/**
 * What the model is asked about a row, in the tokens that training saw before the answer, and the answer of the row.
 * Null for a row that training would skip, and for mappings whose rows have no answer: a text, or loss on all tokens.
 * @throws AppError `data/missing-column`, `template/invalid`, `data/invalid` as the tokenising of rows does.
 */
export function heldOutPrompt(context: RowContext, index: number): HeldOutPrompt | null {
  const { set, options } = context;
  const { mapping } = options;
  const row = set.rows[index] ?? {};
  if (options.loss === 'all') return null;
  switch (mapping.kind) {
    case 'text':
      return null;
    case 'template': {
      const template = parseTemplate(mapping.template, set);
      if (missingValue(template, row) !== undefined) return null;
      const { prompt, answer } = splitAtAnswer(template);
      return asked(context, renderTemplate(prompt, row, plainText), renderTemplate(answer, row, plainText));
    }
    case 'messages': {
      const messages = readMessages(set, index, mapping.column, row[mapping.column]);
      const last = messages.findLastIndex(({ role }) => role === 'assistant');
      return last < 0 ? null : askedInChat(context, messages.slice(0, last), messages[last]?.content ?? '');
    }
    case 'prompt-completion': {
      const [prompt, completion] = [row[mapping.prompt], row[mapping.completion]];
      if (looksLikeMessages(prompt)) {
        const before = readMessages(set, index, mapping.prompt, prompt);
        const answer = readMessages(set, index, mapping.completion, completion);
        return askedInChat(context, before, answer[0]?.content ?? '');
      }
      return typeof prompt === 'string' && typeof completion === 'string' ? asked(context, prompt, completion) : null;
    }
    default:
      return unreachable(mapping);
  }
}

function asked({ tokenizer }: RowContext, text: string, expected: string): HeldOutPrompt {
  return { promptText: withBeginning(text, tokenizer), prompt: promptTokens(text, tokenizer), expected: expected.trim() };
}

/** A chat template writes its own special tokens. */
function askedInChat({ renderChat, tokenizer }: RowContext, messages: readonly ChatMessage[], expected: string): HeldOutPrompt {
  const promptText = renderChat(messages, { addGenerationPrompt: true });
  return { promptText, prompt: tokenizer.encode(promptText, { addSpecialTokens: false }), expected: expected.trim() };
}

/** `text` after the beginning token's own text, where training puts that token first. */
function withBeginning(text: string, tokenizer: RowContext['tokenizer']): string {
  const { bosId } = tokenizer;
  const isAdded = promptTokens(text, tokenizer).length > tokenizer.encode(text, { addSpecialTokens: false }).length;
  return isAdded && bosId !== null ? tokenizer.tokenText(bosId) + text : text;
}

/** What a user has to write for a prompt: the columns before the answer, each once, or a message. */
export function promptFields(mapping: DataMapping | null, set: ColumnSet): string[] {
  if (mapping?.kind !== 'template') return [MESSAGE_FIELD];
  const named = columnsOf(promptTemplate(mapping, set));
  return named.length === 0 ? [MESSAGE_FIELD] : named;
}

/** The prompt of a user's own words; a field that is not given is empty. */
export function renderPrompt(
  context: Pick<RowContext, 'renderChat' | 'tokenizer'>,
  mapping: DataMapping | null,
  set: ColumnSet,
  fields: Readonly<Record<string, string>>,
): string {
  const { renderChat, tokenizer } = context;
  const message = fields[MESSAGE_FIELD] ?? Object.values(fields)[0] ?? '';
  if (mapping?.kind === 'template') {
    const template = promptTemplate(mapping, set);
    const row = Object.fromEntries(columnsOf(template).map((column) => [column, fields[column] ?? '']));
    return withBeginning(renderTemplate(template, row, plainText), tokenizer);
  }
  const isChat = mapping === null || mapping.kind === 'messages';
  if (isChat && tokenizer.chatTemplate !== null) return renderChat([{ role: 'user', content: message }], { addGenerationPrompt: true });
  return withBeginning(message, tokenizer);
}

/** What stands before the answer; of a template that names one column alone, nothing but the text before it. */
function promptTemplate(mapping: Extract<DataMapping, { kind: 'template' }>, set: ColumnSet): Template {
  return splitAtAnswer(parseTemplate(mapping.template, set)).prompt;
}

function columnsOf(template: Template): string[] {
  return [...new Set(template.parts.flatMap((part) => (part.kind === 'column' ? [part.column] : [])))];
}
