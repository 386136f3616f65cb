/** Rows of a prompt and an answer: their tokens, and which of them are the answer's. Prompt-completion rows follow TRL 1.16's SFTTrainer. */
import { chatDrafts, chatRow, type ChatRow, isChat, plainTurns, thinksFor, turnsOf, turnText } from '#data/chat-rows.ts';
import { type ChatMessage, looksLikeMessages, readMessages } from '#data/conversation.ts';
import { commonPrefixLength, type Draft, type DraftRow, type RowContext } from '#data/drafts.ts';
import type { DataMapping } from '#data/mapping.ts';
import { badValue, own, plainText, requireColumn } from '#data/rows.ts';
import { missingValue, parseTemplate, renderTemplate, splitAtAnswer } from '#data/template.ts';

type Mapping<Kind extends DataMapping['kind']> = Extract<DataMapping, { kind: Kind }>;

/**
 * Prompt-completion rows as TRL's SFTTrainer prepares them without packing. Texts: the end token's text is put after the completion
 * unless it ends with it; prompt and prompt + completion are tokenised with special tokens. Conversations: both are rendered and
 * tokenised as they stand, the prompt with the generation prompt. The completion starts where the two token lists part.
 * With loss on all tokens the prompt carries loss too (TRL's `completion_only_loss=False`).
 * A row whose columns hold neither two texts nor two conversations is `data/invalid`.
 * @source trl 1.16 trl/trainer/sft_trainer.py (_prepare_dataset), trl/data_utils.py (common_prefix_length)
 */
export function promptCompletionRows(context: RowContext, mapping: Mapping<'prompt-completion'>): DraftRow {
  const { set, options, tokenizer } = context;
  requireColumn(set, mapping.prompt);
  requireColumn(set, mapping.completion);
  const end = tokenizer.eosId === null ? '' : tokenizer.tokenText(tokenizer.eosId);
  return (index) => {
    const prompt = set.rows[index]?.[mapping.prompt];
    const completion = set.rows[index]?.[mapping.completion];
    let promptTokens: Uint32Array;
    let tokens: Uint32Array;
    if (looksLikeMessages(prompt)) {
      const { before, whole } = completionText(context, mapping, index);
      promptTokens = tokenizer.encode(before, { addSpecialTokens: false });
      tokens = tokenizer.encode(whole, { addSpecialTokens: false });
    } else {
      if (typeof prompt !== 'string') throw badValue(set, index, mapping.prompt, prompt, 'text or a list of messages');
      if (typeof completion !== 'string') throw badValue(set, index, mapping.completion, completion, 'text, as the prompt is text');
      const ended = completion.endsWith(end) ? completion : completion + end;
      promptTokens = tokenizer.encode(prompt, { addSpecialTokens: true });
      tokens = tokenizer.encode(prompt + ended, { addSpecialTokens: true });
    }
    const start = commonPrefixLength(promptTokens, tokens);
    return {
      tokens,
      hasLoss: (i) => options.loss === 'all' || i >= start,
      merged: start < promptTokens.length,
    };
  };
}

/** A prompt of messages with the generation prompt, and the same with the messages that complete it. */
export function completionText(
  context: Pick<RowContext, 'set' | 'renderChat'>,
  mapping: Mapping<'prompt-completion'>,
  index: number,
): { row: ChatRow; before: string; whole: string; answer: ChatMessage | undefined } {
  const row = context.set.rows[index] ?? {};
  const asked = readMessages(context.set, index, mapping.prompt, own(row, mapping.prompt));
  const given = readMessages(context.set, index, mapping.completion, own(row, mapping.completion));
  const messages = [...asked, ...given];
  const read = chatRow({ messages, isLearnt: messages.map(() => true), tools: null }, mapping.thinking);
  const [first, last] = [read.messages[asked.length], messages.length - 1];
  const { prompt, answer } = turnText(context, { ...read, messages: read.messages.slice(0, asked.length + 1) }, asked.length);
  const thinking = thinksFor(first, read.thinking);
  const whole = context.renderChat(read.messages, { addGenerationPrompt: false, tools: null, thinking });
  const isAlone = last === asked.length && answer !== null;
  return { row: read, before: prompt, whole: isAlone ? prompt + answer : whole, answer: first };
}

/**
 * Template rows with loss on the answer: the template's last placeholder and the text after it. Prompt and answer are rendered and
 * tokenised apart and laid together, so that no token spans the two and the prompt is what the model is asked with later.
 * The beginning token comes first where the tokenizer puts one, the end token last. Values that are not text are written as JSON.
 * A row with nothing in a column that the template names is skipped as `missing`.
 */
export function templateAnswerRows({ set, tokenizer }: RowContext, mapping: Mapping<'template'>): DraftRow {
  const template = parseTemplate(mapping.template, set);
  const { prompt, answer } = splitAtAnswer(template);
  return (index) => {
    const row = set.rows[index] ?? {};
    const column = missingValue(template, row);
    if (column !== undefined) return { kind: 'skipped', why: 'missing', length: 0, column };
    return answerDraft(renderTemplate(prompt, row, plainText), renderTemplate(answer, row, plainText), tokenizer);
  };
}

/** The tokens of a prompt that an answer is to follow: in training, and when the model is asked. */
export function promptTokens(text: string, tokenizer: RowContext['tokenizer']): Uint32Array {
  const tokens = tokenizer.encode(text, { addSpecialTokens: false });
  const { bosId } = tokenizer;
  const startsWithBos = bosId !== null && tokenizer.encode('', { addSpecialTokens: true })[0] === bosId;
  return startsWithBos && tokens[0] !== bosId ? concat([bosId], tokens) : tokens;
}

/**
 * Columns as turns, with loss on the assistant's. Through the chat template, or as lines of text with the tokens at both ends as template
 * rows have them. A row with nothing in the assistant's column is skipped as `missing`, one without anything to answer as well.
 */
export function turnRows(context: RowContext, mapping: Mapping<'turns'>): DraftRow {
  const { set, tokenizer } = context;
  for (const column of [mapping.system ?? mapping.assistant, ...mapping.user, mapping.assistant]) requireColumn(set, column);
  const asChat = isChat(context, mapping);
  return (index) => {
    const row = set.rows[index] ?? {};
    const { before, answer } = turnsOf(mapping, row);
    const given = own(row, mapping.assistant);
    if (given === undefined || given === null) return { kind: 'skipped', why: 'missing', length: 0, column: mapping.assistant };
    if (before.at(-1)?.content === '') return { kind: 'skipped', why: 'missing', length: 0, column: mapping.user[0] };
    if (!asChat) return answerDraft(plainTurns(mapping, row), answer.content, tokenizer);
    const messages = [...before, answer];
    return chatDrafts(context, chatRow({ messages, isLearnt: messages.map(() => true), tools: null }, mapping.thinking));
  };
}

/** A prompt and an answer tokenised apart and laid together, the beginning token first where it belongs, the end token last. */
function answerDraft(prompt: string, answer: string, tokenizer: RowContext['tokenizer']): Draft {
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  const before = promptTokens(prompt, tokenizer);
  const after = tokenizer.encode(answer, { addSpecialTokens: false });
  const ends = after.at(-1) === end[0] ? [] : end;
  return { tokens: concat(before, after, ends), hasLoss: (i) => i >= before.length, merged: false };
}

function concat(...parts: readonly ArrayLike<number>[]): Uint32Array {
  const out = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
