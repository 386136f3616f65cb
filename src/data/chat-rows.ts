/** Conversations to tokens: what a model is asked before each answer of the assistant, and which tokens are learnt. Knows templates by a renderer. */
import { type ChatMessage, type Conversation, hasReasoning, readConversation, reasoningOf, withoutReasoning } from '#data/conversation.ts';
import { commonPrefixLength, type Draft, type DraftRow, type RowContext } from '#data/drafts.ts';
import type { DataMapping, Thinking } from '#data/mapping.ts';
import { own, plainText, requireColumn, type Row } from '#data/rows.ts';

type Mapping<Kind extends DataMapping['kind']> = Extract<DataMapping, { kind: Kind }>;
type Chat = Pick<RowContext, 'renderChat' | 'tokenizer'>;

/** A conversation and how the model is to think in it. */
export interface ChatRow extends Conversation {
  thinking: Thinking;
}

/** The conversation of a row. @throws AppError `data/invalid` */
export function chatRowOf({ set }: Pick<RowContext, 'set'>, mapping: Mapping<'messages'>, index: number): ChatRow {
  const row = set.rows[index] ?? {};
  const tools = mapping.tools === undefined ? undefined : own(row, mapping.tools);
  const conversation = readConversation(set, index, mapping.column, own(row, mapping.column), tools);
  return chatRow(conversation, mapping.thinking);
}

/** A conversation as it is trained on: with `off` nothing of what was thought is left in it. */
export function chatRow(conversation: Conversation, thinking: Thinking = 'auto'): ChatRow {
  if (thinking !== 'off') return { ...conversation, thinking };
  const messages = conversation.messages.map((message) => (message.role === 'assistant' ? withoutReasoning(message) : message));
  return { ...conversation, messages, thinking };
}

/** Whether the model is asked to think before it gives `answer`. */
export function thinksFor(answer: ChatMessage | undefined, thinking: Thinking = 'auto'): boolean {
  return thinking === 'on' || (thinking === 'auto' && answer !== undefined && hasReasoning(answer));
}

/**
 * What the model is asked before message `turn`, and the text that it has to write then. Where a template opens an answer without thinking
 * with an empty block that it does not render in the answer itself, the block stands in the prompt all the same.
 * `answer` is null where the prompt is no beginning of what is rendered with the answer.
 */
export function turnText(
  { renderChat }: Pick<Chat, 'renderChat'>,
  { messages, tools, thinking: choice }: ChatRow,
  turn: number,
): { prompt: string; answer: string | null; whole: string } {
  const thinking = thinksFor(messages[turn], choice);
  const before = messages.slice(0, turn);
  const whole = renderChat(messages.slice(0, turn + 1), { addGenerationPrompt: false, tools, thinking });
  // No template renders a conversation without messages.
  if (turn === 0) return { prompt: '', answer: whole, whole };
  const prompt = renderChat(before, { addGenerationPrompt: true, tools, thinking });
  if (!thinking && whole.startsWith(closedPrompt(prompt))) {
    const closed = closedPrompt(prompt);
    return { prompt: closed, answer: whole.slice(closed.length), whole };
  }
  if (whole.startsWith(prompt)) return { prompt, answer: whole.slice(prompt.length), whole };
  const open = thinking ? prompt : renderChat(before, { addGenerationPrompt: true, tools, thinking: true });
  if (prompt.startsWith(open) && whole.startsWith(open)) return { prompt, answer: whole.slice(open.length), whole };
  // DeepSeek-R1 opens every answer with a block, and renders none in answers: it is put back.
  const opening = prompt.slice(0, prompt.length - (OPEN_BLOCK.exec(prompt)?.[0].length ?? 0));
  if (opening === prompt || !whole.startsWith(opening)) return { prompt, answer: null, whole };
  const said = whole.slice(opening.length);
  if (!thinking) return { prompt: closedPrompt(prompt), answer: said, whole };
  return { prompt, answer: `${reasoningOf(messages[turn])}${BLOCK_END}${said}`, whole };
}

/** A thinking block that is open at the end of a prompt. */
const OPEN_BLOCK = /<think>\s*$/;
const BLOCK_END = '\n</think>\n\n';

/** A prompt for an answer without thinking: where its template opens a block all the same, an empty one. */
export function closedPrompt(prompt: string): string {
  if (!OPEN_BLOCK.test(prompt)) return prompt;
  return `${prompt.replace(OPEN_BLOCK, '<think>\n')}${BLOCK_END}`;
}

/**
 * Conversations with loss on every turn of the assistant, but those of weight 0. A turn starts where the conversation parts from the one
 * before it with the generation prompt, and ends where it parts from the one that stops after it; the last one reaches to the end, as in
 * TRL's prompt-completion rows. So the template's own text before and after other turns, and what tools return, carry no loss.
 * Where what the model is asked before a turn is no beginning of the whole, as Qwen3 renders earlier turns without what was thought,
 * each turn becomes a draft of its own: the model learns from what it will be asked with.
 */
export function assistantTurnRows(context: RowContext, mapping: Mapping<'messages'>): DraftRow {
  requireColumn(context.set, mapping.column);
  if (mapping.tools !== undefined) requireColumn(context.set, mapping.tools);
  return (index) => chatDrafts(context, chatRowOf(context, mapping, index));
}

/** The draft of a conversation, or one a turn. */
export function chatDrafts(context: Chat, row: ChatRow): Draft | readonly Draft[] {
  const { messages, isLearnt } = row;
  const turns = messages.flatMap(({ role }, i) => (role === 'assistant' && isLearnt[i] ? [i] : []));
  return wholeDraft(context, row, turns) ?? turns.map((turn) => turnDraft(context, row, turn));
}

/** One draft with loss on all `turns`; null where one of them cannot be told apart in the whole. */
function wholeDraft(context: Chat, row: ChatRow, turns: readonly number[]): Draft | null {
  const { messages, tools, thinking } = row;
  const last = messages.findLast(({ role }) => role === 'assistant');
  const text = context.renderChat(messages, { addGenerationPrompt: false, tools, thinking: thinksFor(last, thinking) });
  const spans = turns.map((turn) => ({ ...turnText(context, row, turn), isLast: turn === messages.length - 1 }));
  const isWhole = spans.every(({ prompt, whole, isLast }) => text.startsWith(prompt) && (isLast || text.startsWith(whole)));
  if (!isWhole) return null;
  const tokens = encode(context, text);
  const answers = new Uint8Array(tokens.length);
  let merged = false;
  for (const { prompt, whole, isLast } of spans) {
    const before = encode(context, prompt);
    const start = commonPrefixLength(before, tokens);
    merged ||= start < before.length;
    const end = isLast ? tokens.length : commonPrefixLength(encode(context, whole), tokens);
    answers.fill(1, start, Math.max(start, end));
  }
  const dropsReasoning = turns.some((turn) => !text.includes(reasoningOf(messages[turn])));
  return { tokens, hasLoss: (i) => answers[i] === 1, merged, dropsReasoning };
}

function turnDraft(context: Chat, row: ChatRow, turn: number): Draft {
  const { prompt, answer, whole } = turnText(context, row, turn);
  const before = encode(context, prompt);
  const text = answer === null ? whole : prompt + answer;
  const tokens = encode(context, text);
  const start = commonPrefixLength(before, tokens);
  const dropsReasoning = !text.includes(reasoningOf(row.messages[turn]));
  return { tokens, hasLoss: (i) => i >= start, merged: start < before.length, dropsReasoning };
}

/** The template writes its own special tokens, so none are added. */
function encode({ tokenizer }: Pick<Chat, 'tokenizer'>, text: string): Uint32Array {
  return tokenizer.encode(text, { addSpecialTokens: false });
}

/** Whether the columns of `turns` go through the chat template. */
export function isChat({ tokenizer }: Pick<Chat, 'tokenizer'>, { plain }: Mapping<'turns'>): boolean {
  return plain !== true && tokenizer.chatTemplate !== null;
}

/** The columns of a row as a conversation; without `assistant`, what comes before the answer. */
export function turnsOf(mapping: Mapping<'turns'>, row: Row): { before: ChatMessage[]; answer: ChatMessage } {
  const system = mapping.system === undefined ? '' : textAt(row, mapping.system);
  const user = userText(mapping, row);
  const before = [...(system === '' ? [] : [{ role: 'system', content: system }]), { role: 'user', content: user }];
  return { before, answer: { role: 'assistant', content: textAt(row, mapping.assistant) } };
}

function userText({ user }: Mapping<'turns'>, row: Row): string {
  return user
    .map((column) => textAt(row, column))
    .filter((text) => text !== '')
    .join('\n');
}

/** The lines before the answer, each ended: the answer stands on a line of its own. */
export function plainTurns(mapping: Mapping<'turns'>, row: Row): string {
  const system = mapping.system === undefined ? '' : textAt(row, mapping.system);
  return [system, userText(mapping, row)].map((text) => (text === '' ? '' : `${text}\n`)).join('');
}

function textAt(row: Row, column: string): string {
  const value = own(row, column);
  return value === undefined || value === null ? '' : plainText(value, column);
}
