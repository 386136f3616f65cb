/** What the model sees of one row, as the page shows it. Knows how rows become tokens. */
import { chatRowOf, isChat } from '#data/chat-rows.ts';
import { AppError } from '#base/errors.ts';
import type { RowContext } from '#data/drafts.ts';
import { hiddenPrompt } from '#data/hidden-prompt.ts';
import { rowSequences } from '#data/tokenize.ts';
import type { Preview } from '#protocol/data.ts';
import { addedTokens } from '#run/added-tokens.ts';

/** Part `part` of the sequences that row `row` gives; the last where there are fewer. */
export function previewOf(context: RowContext, row: number, part: number): Preview {
  const { tokenizer } = context;
  const results = rowSequences(context)(row);
  const shown = Math.min(part, results.length - 1);
  const result = results[shown];
  const place = { row, parts: results.length, part: shown, fullLength: result.length };
  if (result.kind === 'skipped') {
    const skipped = { why: result.why, column: result.column ?? null };
    return { ...place, text: '', tokens: [], added: [], isMerged: false, skipped };
  }
  const { tokens, lossMask } = result.sequence;
  return {
    ...place,
    text: tokenizer.decode(tokens),
    tokens: Array.from(tokens, (id, i) => ({
      id,
      text: tokenizer.tokenText(id),
      hasLoss: lossMask[i] === 1,
      isSpecial: tokenizer.decode([id], { skipSpecialTokens: true }) === '',
    })),
    added: addedTokens(context, row, place, tokens),
    isMerged: result.merged,
    skipped: null,
  };
}

/** The system prompt that the chat template puts in by itself, where rows go through it and one of them at least has none. */
export function hiddenPromptOf(context: RowContext): string | null {
  const { mapping } = context.options;
  if (context.tokenizer.chatTemplate === null) return null;
  const isPlain = mapping.kind === 'turns' ? !isChat(context, mapping) || mapping.system !== undefined : mapping.kind !== 'messages';
  if (isPlain) return null;
  if (mapping.kind === 'messages' && context.set.rows.every((_, row) => hasSystem(context, row))) return null;
  try {
    return hiddenPrompt(context.renderChat);
  } catch (error) {
    if (error instanceof AppError && error.code === 'template/invalid') return null;
    throw error;
  }
}

function hasSystem(context: RowContext, row: number): boolean {
  const { mapping } = context.options;
  if (mapping.kind !== 'messages') return false;
  try {
    return chatRowOf(context, mapping, row).messages[0]?.role === 'system';
  } catch {
    return true;
  }
}
