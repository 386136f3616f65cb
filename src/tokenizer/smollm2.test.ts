import { open, type FileHandle } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkRange, type ByteSource } from '#base/bytes.ts';
import { readGguf, type GgufValue } from '#formats/gguf.ts';
import { differences, readSmollm2 } from '#tokenizer/fixtures/fixture-files.ts';
import { tokenizerFromGguf } from '#tokenizer/gguf-tokenizer.ts';

const path = process.env.LORATORY_SMOLLM2;
const fixture = readSmollm2();

if (!path) console.warn('LORATORY_SMOLLM2 is not set to SmolLM2-135M-Instruct.Q4_1.gguf: its tokenizer is not compared');

test('the real vocabulary is there in CI', () => {
  expect({ ci: Boolean(process.env.CI), path: path ?? '' }).not.toEqual({ ci: true, path: '' });
});

describe.skipIf(!path)('SmolLM2-135M-Instruct from its GGUF', () => {
  let file: FileHandle;
  let metadata: Map<string, GgufValue>;

  beforeAll(async () => {
    file = await open(path as string);
    const source: ByteSource = {
      name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      sizeBytes: (await file.stat()).size,
      async read(start, end) {
        checkRange(source, start, end);
        const bytes = new Uint8Array(end - start);
        await file.read(bytes, 0, bytes.length, start);
        return bytes;
      },
    };
    ({ metadata } = await readGguf(source));
  });
  afterAll(() => file.close());

  test('gives the ids of its own tokenizer.json, and the texts back', () => {
    const tokenizer = tokenizerFromGguf(metadata);
    expect(fixture.texts.length).toBeGreaterThanOrEqual(1000);
    expect(
      differences(
        fixture.texts,
        (text) => [...tokenizer.encode(text)],
        (i) => fixture.ids[i],
      ),
    ).toEqual([]);
    expect(
      differences(
        fixture.ids,
        (ids) => tokenizer.decode(ids),
        (i) => fixture.decoded[i] ?? fixture.texts[i],
      ),
    ).toEqual([]);
    const skip = { skipSpecialTokens: true };
    expect(
      differences(
        fixture.ids,
        (ids) => tokenizer.decode(ids, skip),
        (i) => fixture.skipped[i] ?? fixture.texts[i],
      ),
    ).toEqual([]);
  });

  test('gives the ids of transformers, which leaves the digits out of the split, when asked for the split of GPT-2', () => {
    const tokenizer = tokenizerFromGguf(metadata, { preTokenizer: 'gpt-2' });
    expect(
      differences(
        fixture.texts,
        (text) => [...tokenizer.encode(text)],
        (i) => fixture.transformers[i] ?? fixture.ids[i],
      ),
    ).toEqual([]);
  });

  test('differs from transformers only where a number follows a space or is none of 0 to 9', () => {
    const differing = Object.keys(fixture.transformers).map((i) => fixture.texts[Number(i)]);
    expect(differing.length).toBeGreaterThan(0);
    for (const text of differing) expect(text).toMatch(/\p{White_Space}\p{N}|(?![0-9])\p{N}/u);
  });

  test('was trained with digits by themselves: no merge has one in it', () => {
    const merges = metadata.get('tokenizer.ggml.merges') as string[];
    expect(merges).toHaveLength(48_900);
    expect(merges.filter((merge) => /[0-9]/.test(merge))).toEqual([]);
  });

  test('has the special tokens, the template and the size', () => {
    const tokenizer = tokenizerFromGguf(metadata);
    expect(tokenizer.specialTokens).toEqual(fixture.specialTokens);
    expect(tokenizer.chatTemplate).toBe(fixture.chatTemplate);
    expect([tokenizer.vocabSize, tokenizer.bosId, tokenizer.eosId, tokenizer.padId]).toEqual([49_152, 1, 2, 2]);
    expect(tokenizer.tokenText(1)).toBe('<|im_start|>');
    expect(tokenizer.tokenText(28_120)).toBe(tokenizer.decode([28_120]));
  });
});
