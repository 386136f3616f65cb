/** Rows of a prompt and an answer: their tokens, and which of them are the answer's. Prompt-completion rows follow TRL 1.16's SFTTrainer. */
import { type ChatMessage, looksLikeMessages, readMessages } from '#data/conversation.ts';
import { commonPrefixLength, type Draft, type DraftRow, type RowContext } from '#data/drafts.ts';
import type { DataMapping } from '#data/mapping.ts';
import { badValue, plainText, requireColumn } from '#data/rows.ts';
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
      const before = readMessages(set, index, mapping.prompt, prompt);
      const answer = readMessages(set, index, mapping.completion, completion);
      promptTokens = chatTokens(context, before, true);
      tokens = chatTokens(context, [...before, ...answer], false);
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

/**
 * Template rows with loss on the answer: the template's last placeholder and the text after it. Prompt and answer are rendered and
 * tokenised apart and laid together, so that no token spans the two and the prompt is what the model is asked with later.
 * The beginning token comes first where the tokenizer puts one, the end token last. Values that are not text are written as JSON.
 * A row with nothing in a column that the template names is skipped as `missing`.
 */
export function templateAnswerRows({ set, tokenizer }: RowContext, mapping: Mapping<'template'>): DraftRow {
  const template = parseTemplate(mapping.template, set);
  const { prompt, answer } = splitAtAnswer(template);
  const end = tokenizer.eosId === null ? [] : [tokenizer.eosId];
  return (index) => {
    const row = set.rows[index] ?? {};
    const column = missingValue(template, row);
    if (column !== undefined) return { kind: 'skipped', why: 'missing', length: 0, column };
    const before = promptTokens(renderTemplate(prompt, row, plainText), tokenizer);
    const after = tokenizer.encode(renderTemplate(answer, row, plainText), { addSpecialTokens: false });
    const ends = after.at(-1) === end[0] ? [] : end;
    return { tokens: concat(before, after, ends), hasLoss: (i) => i >= before.length, merged: false };
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
 * Conversations with loss on every turn of the assistant. A turn starts where the conversation parts from the one before it with the
 * generation prompt, and ends where it parts from the one that stops after it; the last one reaches to the end, as in TRL's
 * prompt-completion rows. So the template's own text before and after other turns carries no loss.
 */
export function assistantTurnRows(context: RowContext, mapping: Mapping<'messages'>): DraftRow {
  const { set } = context;
  requireColumn(set, mapping.column);
  return (index) => {
    const messages = readMessages(set, index, mapping.column, set.rows[index]?.[mapping.column]);
    const tokens = chatTokens(context, messages, false);
    const answers = new Uint8Array(tokens.length);
    let merged = false;
    messages.forEach(({ role }, turn) => {
      if (role !== 'assistant') return;
      const before = turn === 0 ? new Uint32Array(0) : chatTokens(context, messages.slice(0, turn), true);
      const start = commonPrefixLength(before, tokens);
      merged ||= start < before.length;
      const isLast = turn === messages.length - 1;
      const end = isLast ? tokens.length : commonPrefixLength(chatTokens(context, messages.slice(0, turn + 1), false), tokens);
      answers.fill(1, start, Math.max(start, end));
    });
    return { tokens, hasLoss: (i) => answers[i] === 1, merged } satisfies Draft;
  };
}

/** A conversation's tokens. The template writes its own special tokens, so none are added. */
function chatTokens({ renderChat, tokenizer }: RowContext, messages: readonly ChatMessage[], addGenerationPrompt: boolean): Uint32Array {
  return tokenizer.encode(renderChat(messages, { addGenerationPrompt }), { addSpecialTokens: false });
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
