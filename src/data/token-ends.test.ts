import { expect, it } from 'vitest';
import { makeSequence } from '#data/batch.ts';
import { TokenEnds } from '#data/token-ends.ts';
import { QWEN } from './fixtures/chat-tokenizers.ts';

const tokenizer = QWEN.qwen2_5;
const ends = new TokenEnds(tokenizer);

/** What is wrong with prompt and answer by turns. */
function problems(parts: readonly string[], isCut = false): string[] {
  const tokens: number[] = [];
  const loss: boolean[] = [];
  for (const [i, part] of parts.entries()) {
    for (const token of tokenizer.encode(part, { addSpecialTokens: false })) {
      tokens.push(token);
      loss.push(i % 2 === 1);
    }
  }
  return [
    ...ends.problems(
      makeSequence(Uint32Array.from(tokens), (i) => loss[i]),
      isCut,
    ),
  ];
}

it.each([
  [['<s>Q', 'A<|im_end|>'], []],
  [['<s>Q', 'A<|im_end|>\n', 'Q', 'A</s>\n'], []],
  [['Q', 'A<|im_end|>'], ['missing-beginning']],
  [['<s><s>Q', 'A<|im_end|>'], ['doubled-beginning']],
  [['<s>Q', 'A'], ['missing-end']],
  [['<s>Q', 'A<|im_end|>', 'Q', 'A\n'], ['missing-end']],
  [['<s>Q', 'A<|im_end|><|im_end|>'], ['doubled-end']],
  [['<s>Q', 'A<|im_end|> <|im_end|>\n'], ['doubled-end']],
  [['<s>Q', '</think><|im_end|>'], []],
  [['<s>Q', '</think>'], ['missing-end']],
])('%j: %j', (parts, expected) => {
  expect(problems(parts)).toEqual(expected);
});

it('expects no end where it was cut off, but of answers before it', () => {
  expect(problems(['<s>Q', 'A'], true)).toEqual([]);
  expect(problems(['<s>Q', 'A', 'Q', 'A'], true)).toEqual(['missing-end']);
});
