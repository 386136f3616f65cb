import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tokenizerFromFiles } from '#tokenizer/tokenizer.ts';
import type { Sequence } from '#data/batch.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import { DEFAULT_JOINER, type DataMapping, type DataOptions } from '#data/mapping.ts';
import { columnsOf, type Row, type RowSet } from '#data/rows.ts';
import { unescapeFlag } from '#data/template.ts';
import { tokenizeRows } from '#data/tokenize.ts';
import olive from './fixtures/olive.json' with { type: 'json' };
import trl from './fixtures/trl.json' with { type: 'json' };

// The fixtures are written by reference/data_fixtures.py.
const file = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const tokenizer = tokenizerFromFiles(file('tokenizer.json'), file('tokenizer_config.json'), { chatTemplate: file('chat_template.jinja') });
const renderChat = chatRenderer(tokenizer);

/** The label that transformers gives a token without loss. */
const IGNORED_LABEL = -100;

const rowSet = (rows: readonly Row[]): RowSet => ({ file: 'rows.jsonl', columns: columnsOf(rows), rows });

/**
 * Labels as a causal model reads them: that of the first token is never used, as nothing predicts it.
 */
const usedLabels = (labels: readonly number[]): number[] => labels.slice(1);
const labelsOf = ({ tokens, lossMask }: Sequence): number[] =>
  Array.from(tokens, (token, i) => (lossMask[i] === 1 ? token : IGNORED_LABEL));

function oliveOptions(flags: readonly string[], extra: { strategy?: string; joiner?: string }): DataOptions {
  const value = (name: string): string | undefined => (flags.includes(name) ? flags[flags.indexOf(name) + 1] : undefined);
  const field = value('--text_field');
  const text = value('--text_template');
  let mapping: DataMapping = { kind: 'messages', column: 'messages' };
  if (field !== undefined) mapping = { kind: 'text', column: field };
  if (text !== undefined) mapping = { kind: 'template', template: unescapeFlag(text) };
  return {
    mapping,
    strategy: extra.strategy === 'line-by-line' ? 'line-by-line' : 'join',
    loss: 'all',
    maxLength: Number(value('--max_seq_len')),
    maxSamples: Number(value('--max_samples') ?? 256),
    addSpecialTokens: value('--add_special_tokens') !== undefined,
    joiner: extra.joiner ?? DEFAULT_JOINER,
  };
}

describe("Olive's training dataset, from the flags of olive finetune", () => {
  it.each(olive.cases)('$name', async ({ rows, flags, extra, input_ids, labels, attention_mask }) => {
    const set = rowSet(rows === 'chat' ? olive.chat : olive.rows);
    const options = oliveOptions(flags, extra);
    const ours = await tokenizeRows({ set, options, tokenizer, renderChat });
    // Olive pads single rows on the right; what its mask leaves out has no loss and attends to nothing that matters.
    const unpadded = (ids: readonly number[], i: number): number[] => ids.filter((_, k) => attention_mask[i]?.[k] === 1);
    expect(ours.sequences.map((s) => Array.from(s.tokens))).toEqual(input_ids.map(unpadded));
    expect(ours.sequences.map((s) => usedLabels(labelsOf(s)))).toEqual(labels.map((l, i) => usedLabels(unpadded(l, i))));
  });
});

describe("TRL's SFTTrainer dataset, without packing", () => {
  it.each(trl.cases)('$name', async (fixture) => {
    const { rows, input_ids, labels } = fixture;
    const ours = await tokenizeRows({
      set: rowSet(rows),
      tokenizer,
      renderChat,
      options: {
        mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' },
        strategy: 'line-by-line',
        loss: 'completion_only_loss' in fixture && !fixture.completion_only_loss ? 'all' : 'answer',
        maxLength: ('max_length' in fixture ? fixture.max_length : undefined) ?? 1024,
        maxSamples: null,
        addSpecialTokens: false,
        joiner: DEFAULT_JOINER,
      },
    });
    expect(ours.sequences.map((s) => Array.from(s.tokens))).toEqual(input_ids);
    expect(ours.sequences.map((s) => usedLabels(labelsOf(s)))).toEqual(labels.map(usedLabels));
  });
});
