/** The real checkpoint: SmolLM2-135M-Instruct as GGUF Q4_1, its path in LORATORY_SMOLLM2. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { ByteSource } from '#base/bytes.ts';
import { openGguf, readFloat32 } from '#formats/weights.ts';

// Written by reference/smollm2_weights.py: what transformers loads from the file.
const expected = JSON.parse(readFileSync(new URL('fixtures/smollm2-weights.json', import.meta.url), 'utf8')) as {
  file: { sizeBytes: number; sha256: string };
  tensors: Record<string, string>;
};

test('the fixture has every tensor', () => {
  expect(Object.keys(expected.tensors)).toHaveLength(272);
});

// Where nobody fetched the file the test is not there; with CI=true a missing file is a failure.
const missing = process.env.CI === 'true' ? ['LORATORY_SMOLLM2-is-not-set'] : [];
const paths = process.env.LORATORY_SMOLLM2 === undefined ? missing : [process.env.LORATORY_SMOLLM2];

test.each(paths)('every tensor of %s is what transformers loads, bit for bit', { timeout: 120_000 }, async (path) => {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  expect(hash.digest('hex')).toBe(expected.file.sha256);

  await using handle = await open(path);
  const source: ByteSource = {
    name: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    sizeBytes: (await handle.stat()).size,
    read: async (start, end) => (await handle.read(new Uint8Array(end - start), 0, end - start, start)).buffer,
  };
  const { tensors, config, metadata } = await openGguf(source);
  expect(config).toMatchObject({ model_type: 'llama', hidden_size: 576, num_hidden_layers: 30, head_dim: 64, tie_word_embeddings: true });
  expect(metadata.get('tokenizer.ggml.tokens')).toHaveLength(49152);
  const digests: Record<string, string> = {};
  for (const [name, tensor] of tensors) {
    const values = await readFloat32(tensor);
    digests[name] = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16);
  }
  expect(digests).toEqual(expected.tensors);
});
