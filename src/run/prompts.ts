/** Prompts for which an answer is asked: of held-out rows, with the answer that is expected, and of a user's own words. Knows no file. */
import { unreachable } from '#base/errors.ts';
import { completionText, promptTokens } from '#data/answer-rows.ts';
import { chatRow, type ChatRow, chatRowOf, closedPrompt, isChat, plainTurns, turnsOf, turnText } from '#data/chat-rows.ts';
import { type ChatMessage, hasReasoning, looksLikeMessages, roleOf } from '#data/conversation.ts';
import type { RowContext } from '#data/drafts.ts';
import type { DataMapping } from '#data/mapping.ts';
import { own, plainText, type Row, type RowSet } from '#data/rows.ts';
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
    case 'messages':
      return askedTurn(context, chatRowOf(context, mapping, index));
    case 'turns': {
      const { before, answer } = turnsOf(mapping, row);
      if (answer.content === '' || before.at(-1)?.content === '') return null;
      if (!isChat(context, mapping)) return asked(context, plainTurns(mapping, row), answer.content);
      const messages = [...before, answer];
      return askedTurn(context, chatRow({ messages, isLearnt: messages.map(() => true), tools: null }, mapping.thinking));
    }
    case 'prompt-completion': {
      const [prompt, completion] = [row[mapping.prompt], row[mapping.completion]];
      if (looksLikeMessages(prompt)) {
        const { before, whole, answer } = completionText(context, mapping, index);
        const rendered = whole.startsWith(before) ? whole.slice(before.length) : null;
        return answer === undefined ? null : askedInChat(context, before, answerText(context, answer, rendered));
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

/** The last turn of the assistant that is learnt. */
function askedTurn(context: RowContext, row: ChatRow): HeldOutPrompt | null {
  const last = row.messages.findLastIndex(({ role }, i) => role === 'assistant' && row.isLearnt[i]);
  const message = row.messages[last];
  if (message === undefined) return null;
  const { prompt, answer } = turnText(context, row, last);
  return askedInChat(context, prompt, answerText(context, message, answer));
}

/** What the model has to write: the message's content; with its thoughts or its calls where it has any, as the template writes them. */
function answerText({ tokenizer }: RowContext, message: ChatMessage, rendered: string | null): string {
  if (rendered === null || (message.tool_calls === undefined && !hasReasoning(message))) return message.content;
  return tokenizer.decode(tokenizer.encode(rendered, { addSpecialTokens: false }), { skipSpecialTokens: true });
}

/** A chat template writes its own special tokens. */
function askedInChat({ tokenizer }: RowContext, promptText: string, expected: string): HeldOutPrompt {
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
  if (mapping?.kind === 'turns') return [...(mapping.system === undefined ? [] : [mapping.system]), ...mapping.user];
  if (mapping?.kind !== 'template') return [MESSAGE_FIELD];
  const named = columnsOf(promptTemplate(mapping, set));
  return named.length === 0 ? [MESSAGE_FIELD] : named;
}

/**
 * The prompt of a user's own words; a field that is not given is empty.
 * `hasReasoning`: whether the rows' answers mostly say what was thought; a mapping that leaves the choice to the rows then asks for it.
 */
export function renderPrompt(
  context: Pick<RowContext, 'renderChat' | 'tokenizer'>,
  mapping: DataMapping | null,
  set: ColumnSet,
  fields: Readonly<Record<string, string>>,
  hasReasoning = false,
): string {
  const { renderChat, tokenizer } = context;
  const message = fields[MESSAGE_FIELD] ?? Object.values(fields)[0] ?? '';
  if (mapping?.kind === 'template') {
    const template = promptTemplate(mapping, set);
    const row = Object.fromEntries(columnsOf(template).map((column) => [column, fields[column] ?? '']));
    return withBeginning(renderTemplate(template, row, plainText), tokenizer);
  }
  const thinking = mapping === null ? undefined : usualThinking(mapping, hasReasoning);
  if (mapping?.kind === 'turns') {
    if (!isChat(context, mapping)) return withBeginning(plainTurns(mapping, fields), tokenizer);
    return opened(renderChat(turnsOf(mapping, fields).before, { addGenerationPrompt: true, thinking }), thinking);
  }
  const inChat = mapping === null || mapping.kind === 'messages';
  if (inChat && tokenizer.chatTemplate !== null) {
    return opened(renderChat([{ role: 'user', content: message }], { addGenerationPrompt: true, thinking }), thinking);
  }
  return withBeginning(message, tokenizer);
}

/** As training opens an answer. */
function opened(prompt: string, thinking: boolean | undefined): string {
  return thinking === false ? closedPrompt(prompt) : prompt;
}

/** Whether the model is asked to think where no row says it. */
function usualThinking(mapping: DataMapping, hasReasoning: boolean): boolean {
  const choice = 'thinking' in mapping ? mapping.thinking : undefined;
  return choice === 'on' || (choice !== 'off' && hasReasoning);
}

/** Whether most of the rows' answers say what was thought before them. Rows of no use count as those that do not. */
export function mostlyReason(mapping: DataMapping, rows: readonly Row[]): boolean {
  const answers = rows.map((row): ChatMessage | undefined => {
    if (mapping.kind === 'turns') return turnsOf(mapping, row).answer;
    const column = mapping.kind === 'messages' ? mapping.column : mapping.kind === 'prompt-completion' ? mapping.completion : null;
    const value = column === null ? undefined : own(row, column);
    if (!looksLikeMessages(value)) return undefined;
    return (value as readonly Record<string, unknown>[]).map(roughMessage).findLast(({ role }) => role === 'assistant');
  });
  return 2 * answers.filter((answer) => answer !== undefined && hasReasoning(answer)).length > rows.length;
}

function roughMessage(message: Record<string, unknown>): ChatMessage {
  const [role, content] = [message.role ?? message.from, message.content ?? message.value];
  return { ...message, role: typeof role === 'string' ? roleOf(role) : '', content: typeof content === 'string' ? content : '' };
}

/** What stands before the answer; of a template that names one column alone, nothing but the text before it. */
function promptTemplate(mapping: Extract<DataMapping, { kind: 'template' }>, set: ColumnSet): Template {
  return splitAtAnswer(parseTemplate(mapping.template, set)).prompt;
}

function columnsOf(template: Template): string[] {
  return [...new Set(template.parts.flatMap((part) => (part.kind === 'column' ? [part.column] : [])))];
}
