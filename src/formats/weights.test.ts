import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memorySource, type ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { readGguf } from '#formats/gguf.ts';
import { interleavedRow } from '#formats/gguf-names.ts';
import { countingSource, MUTATIONS, readMutations } from '#formats/mutations.ts';
import { writeSafetensors, type SafetensorsInput } from '#formats/safetensors.ts';
import { openGguf, openHuggingFaceFolder, readFloat32, rowBytes, type WeightTensor } from '#formats/weights.ts';

// Written by reference/gguf_files.py with the gguf package and transformers.
const tinyLlama = new Uint8Array(readFileSync(new URL('fixtures/tiny-llama.gguf', import.meta.url)));
const expected = JSON.parse(readFileSync(new URL('fixtures/gguf-files.json', import.meta.url), 'utf8')) as {
  tensors: Record<string, { shape: number[]; sha256: string; transformers: boolean }>;
  ropeFactors: number[];
};

const encoder = new TextEncoder();
const sha256 = (values: Float32Array) => createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');

async function failure(opening: Promise<unknown>): Promise<AppError> {
  const error: unknown = await opening.then(
    () => new Error('it was opened'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

/** The file with every occurrence of a text in its header replaced by one of the same length. */
function patched(from: string, to: string, bytes = tinyLlama): Uint8Array {
  const copy = bytes.slice();
  const buffer = Buffer.from(copy.buffer);
  for (let at = buffer.indexOf(from); at >= 0; at = buffer.indexOf(from, at + 1)) buffer.write(to, at);
  expect(copy).not.toEqual(bytes);
  expect(to.length).toBe(from.length);
  return copy;
}

/** The file with the uint32 of a metadata key replaced. */
function withNumber(key: string, value: number): Uint8Array {
  const copy = tinyLlama.slice();
  const at = Buffer.from(copy.buffer).indexOf(key) + key.length + 4;
  new DataView(copy.buffer).setUint32(at, value, true);
  return copy;
}

/** The file with two more metadata entries, together 64 bytes, so that the data stays aligned: a count of 8 and a filler. */
function withCount(key: string): Uint8Array {
  const entries = new Uint8Array(64);
  const view = new DataView(entries.buffer);
  view.setUint32(0, key.length, true);
  entries.set(encoder.encode(key), 8);
  const value = 8 + key.length;
  view.setUint32(value, 4, true);
  view.setUint32(value + 4, 8, true);
  // The filler: the key "x" and a string as long as what is left.
  view.setUint32(value + 8, 1, true);
  entries[value + 16] = 0x78;
  view.setUint32(value + 17, 8, true);
  view.setUint32(value + 21, 64 - value - 29, true);
  const bytes = new Uint8Array(Buffer.concat([tinyLlama.subarray(0, 24), entries, tinyLlama.subarray(24)]));
  bytes[16] += 2;
  return bytes;
}

describe('openGguf', () => {
  test('every tensor as transformers loads it, bit for bit', async () => {
    const { tensors } = await openGguf(memorySource('tiny-llama.gguf', tinyLlama));
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(expected.tensors).toSorted());
    for (const [name, tensor] of tensors) {
      expect(tensor.name).toBe(name);
      expect({ name, shape: tensor.shape, sha256: sha256(await readFloat32(tensor)) }).toEqual({
        name,
        shape: expected.tensors[name]?.shape,
        sha256: expected.tensors[name]?.sha256,
      });
    }
    expect(new Set([...tensors.values()].map(({ type }) => type))).toEqual(new Set(['f32', 'f16', 'bf16', 'q4_0', 'q4_1', 'q8_0']));
  });

  test('a range of rows is that part of the whole, for every pair of ends', async () => {
    const { tensors } = await openGguf(memorySource('tiny-llama.gguf', tinyLlama));
    const key = tensors.get('model.layers.0.self_attn.k_proj.weight') as WeightTensor;
    const whole = await key.readRows(0, 64);
    const bytes = rowBytes(key.type, key.shape);
    for (let start = 0; start <= 64; start++) {
      for (let end = start; end <= 64; end++) {
        const part = whole.subarray(start * bytes, end * bytes);
        // Compared as buffers: 2,145 deep comparisons of arrays would take seconds.
        expect(Buffer.compare(await key.readRows(start, end), part), `rows ${start} to ${end}`).toBe(0);
      }
    }
    await expect(key.readRows(0, 65)).rejects.toThrow('rows 0 to 65 of 64');
  });

  test('interleaved rows come with one read, which spans at most the heads that they touch', async () => {
    const source = countingSource('tiny-llama.gguf', tinyLlama);
    const { tensors } = await openGguf(source);
    const query = tensors.get('model.layers.0.self_attn.q_proj.weight') as WeightTensor;
    const bytes = rowBytes(query.type, query.shape);
    source.bytesRead = 0;
    await query.readRows(0, 8);
    expect(source.bytesRead).toBe(15 * bytes);
    source.bytesRead = 0;
    await query.readRows(30, 66);
    expect(source.bytesRead).toBeLessThanOrEqual(3 * 32 * bytes);
  });

  test("the config is Hugging Face's", async () => {
    const { config, metadata, file } = await openGguf(memorySource('tiny-llama.gguf', tinyLlama));
    expect(file).toBe('tiny-llama.gguf');
    expect(metadata.get('general.architecture')).toBe('llama');
    expect(config).toEqual({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: 48,
      hidden_size: 64,
      intermediate_size: 96,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
      hidden_act: 'silu',
      max_position_embeddings: 128,
      rms_norm_eps: Math.fround(1e-5),
      rope_theta: 500000,
      rope_scaling: null,
      attention_bias: true,
      mlp_bias: false,
      tie_word_embeddings: false,
      bos_token_id: 1,
      eos_token_id: 2,
      pad_token_id: null,
      loratory_rope_factors: expected.ropeFactors,
    });
  });

  test.each<[string, Uint8Array, string, string]>([
    [
      'an unknown architecture',
      patched('llama', 'lamma'),
      'model/unsupported',
      'the architecture lamma was found, one of llama was expected',
    ],
    ['an unknown tensor', patched('blk.1.ffn_down', 'blk.1.ffn_dove'), 'model/invalid', 'tensor blk.1.ffn_down.weight was expected'],
    [
      'a tensor that no Llama has',
      patched('blk.1.attn_v.bias', 'blk.1.attn_x.bias'),
      'model/unsupported',
      'tensor blk.1.attn_x.bias was found',
    ],
    ['a missing size', patched('embedding_length', 'embedding_lengthy'.slice(1)), 'model/invalid', 'no llama.embedding_length'],
    ['a block too many', withNumber('llama.block_count', 3), 'model/invalid', 'tensor blk.2.attn_norm.weight was expected'],
    ['four billion blocks', withNumber('llama.block_count', 4e9), 'model/invalid', 'llama.block_count is 4000000000'],
    ['no heads', withNumber('llama.attention.head_count', 0), 'model/invalid', 'llama.attention.head_count is 0'],
    ['other heads', withNumber('llama.attention.head_count', 5), 'model/invalid', 'blk.0.attn_q.weight is [128,64], 5 heads of 32 rows'],
    ['odd heads', withNumber('llama.attention.key_length', 31), 'model/invalid', 'heads of 31'],
    ['partial rotation', withNumber('llama.rope.dimension_count', 16), 'model/unsupported', '16 of them rotated'],
    ['another vocabulary', withNumber('llama.vocab_size', 47), 'model/invalid', 'token_embd.weight has 48 rows, llama.vocab_size is 47'],
    ['experts', withCount('llama.expert_count'), 'model/unsupported', 'a mixture of 8 experts'],
    ['a part of a split file', withCount('split.count'), 'model/unsupported', 'one of 8 parts was found'],
  ])('%s', async (_, bytes, code, message) => {
    const error = await failure(openGguf(memorySource('m.gguf', bytes)));
    expect(error.message).toContain(message);
    expect(error.code).toContain(code);
    expect(error.message).toContain('m.gguf: ');
  });

  test('a tensor type that is not opened is named', async () => {
    const copy = tinyLlama.slice();
    const { tensors } = await readGguf(memorySource('m', tinyLlama));
    expect(tensors.get('output.weight')?.type.name).toBe('Q4_0');
    // After the name: rank (4 bytes), two lengths (16), then the type. IQ4_NL (20) has blocks of the same size as Q4_0 (2).
    const name = '\u000d\0\0\0\0\0\0\0output.weight';
    const at = Buffer.from(copy.buffer).indexOf(name) + name.length + 20;
    expect(copy[at]).toBe(2);
    copy[at] = 20;
    const error = await failure(openGguf(memorySource('m.gguf', copy)));
    expect(error.code).toBe('format/unsupported');
    expect(error.message).toBe('m.gguf: tensor output.weight is IQ4_NL, one of F32, F16, BF16, Q4_0, Q4_1, Q8_0 was expected');
  });

  test(`${MUTATIONS} damaged copies`, { timeout: 60_000 + 5 * MUTATIONS }, async () => {
    const outcome = await readMutations('tiny-llama.gguf', tinyLlama, openGguf, 4096);
    expect(outcome.errors.get('model/invalid')).toBeGreaterThan(0);
    expect(outcome.errors.get('model/unsupported')).toBeGreaterThan(0);
    // One window holds the file; rope_freqs is read besides.
    expect(outcome.readRatio).toBeLessThanOrEqual(1.1);
    expect(outcome.slowestMs).toBeLessThan(1000);
  });
});

test('interleavedRow is the inverse of reshape(heads, 2, rows / 2).swapaxes(1, 2)', () => {
  // One head of six rows: the file has 0 3 1 4 2 5; a second head follows it.
  const file = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];
  expect(Array.from({ length: 12 }, (_, row) => file[interleavedRow(row, 6)])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

const f32 = (name: string, ...values: number[]): SafetensorsInput => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  data: new Uint8Array(Float32Array.from(values).buffer),
});
const sources = (files: Record<string, string | Uint8Array>): Map<string, ByteSource> =>
  new Map(Object.entries(files).map(([path, data]) => [path, memorySource(path, typeof data === 'string' ? encoder.encode(data) : data)]));
const config = '{"model_type":"llama"}';

describe('openHuggingFaceFolder', () => {
  const one = writeSafetensors([f32('a', 1, 2), { name: 'b', dtype: 'BF16', shape: [2, 1], data: Uint8Array.of(128, 63, 0, 64) }]);
  const two = writeSafetensors([f32('c', 3)]);
  const index = (extra: Record<string, unknown> = {}) =>
    JSON.stringify({ metadata: { total_size: 16 }, weight_map: { a: '1.safetensors', b: '1.safetensors', c: '2.safetensors' }, ...extra });
  const sharded = { 'config.json': config, 'model.safetensors.index.json': index(), '1.safetensors': one, '2.safetensors': two };

  test('one file, in a folder of its own', async () => {
    const checkpoint = await openHuggingFaceFolder(
      sources({ 'Tiny/config.json': config, 'Tiny/model.safetensors': one, 'Tiny/onnx/config.json': '{}' }),
    );
    expect(checkpoint.file).toBe('Tiny/model.safetensors');
    expect(checkpoint.config).toEqual({ model_type: 'llama' });
    const b = checkpoint.tensors.get('b') as WeightTensor;
    expect(b).toMatchObject({ type: 'bf16', shape: [2, 1] });
    expect(Array.from(await readFloat32(b, 1, 2))).toEqual([2]);
  });

  test('shards', async () => {
    const { tensors, file } = await openHuggingFaceFolder(sources(sharded));
    expect(file).toBe('model.safetensors.index.json');
    expect([...tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect(Array.from(await readFloat32(tensors.get('c') as WeightTensor))).toEqual([3]);
  });

  test('masks that are no weights are left out', async () => {
    const mask: SafetensorsInput = { name: 'h.0.attn.bias', dtype: 'BOOL', shape: [1], data: Uint8Array.of(1) };
    const { tensors } = await openHuggingFaceFolder(
      sources({ 'config.json': config, 'model.safetensors': writeSafetensors([mask, f32('a', 1)]) }),
    );
    expect([...tensors.keys()]).toEqual(['a']);
  });

  test.each<[string, Record<string, string | Uint8Array>, string, string]>([
    ['no file', {}, 'model/missing-file', 'config.json was expected, no file was found'],
    ['no config.json', { 'model.safetensors': one }, 'model/missing-file', 'config.json was expected, model.safetensors was found'],
    ['a GGUF in a folder', { 'x/a.gguf': one }, 'model/missing-file', 'x/a.gguf can be opened by itself'],
    ['two models', { 'a/config.json': config, 'b/config.json': config }, 'model/invalid', 'a/config.json, b/config.json'],
    ['no weights', { 'm/config.json': config }, 'model/missing-file', 'm/model.safetensors was expected, config.json was found'],
    ['a pickle', { 'config.json': config, 'pytorch_model.bin': one }, 'format/unsupported', 'convert it with AutoModelForCausalLM'],
    [
      'shards without an index',
      { 'config.json': config, 'model-00001-of-00002.safetensors': one },
      'model/missing-file',
      'model.safetensors.index.json was expected',
    ],
    ['a missing shard', { ...sharded, '2.safetensors': undefined } as never, 'model/missing-file', '2.safetensors was expected'],
    ['a tensor that its shard has not', { ...sharded, '2.safetensors': one }, 'model/invalid', '2.safetensors: tensor c was expected'],
    [
      'another total',
      { ...sharded, 'model.safetensors.index.json': index({ metadata: { total_size: 17 } }) },
      'model/invalid',
      'total_size is 17, its tensors have 16 bytes',
    ],
    [
      'a total that is a word',
      { ...sharded, 'model.safetensors.index.json': index({ metadata: { total_size: '16' } }) },
      'model/invalid',
      'the string "16"',
    ],
    [
      'a list for a map',
      { ...sharded, 'model.safetensors.index.json': index({ weight_map: [] }) },
      'model/invalid',
      'weight_map is an array of 0',
    ],
    [
      'a number for a file',
      { ...sharded, 'model.safetensors.index.json': index({ weight_map: { a: 1 } }) },
      'model/invalid',
      'tensor a is in the number 1',
    ],
    ['a truncated shard', { ...sharded, '1.safetensors': one.subarray(0, -1) }, 'format/truncated', '1.safetensors: tensor'],
    ['a broken config', { ...sharded, 'config.json': '{' }, 'model/invalid', 'config.json: not JSON at line 1, column 2'],
    ['a config that is a list', { ...sharded, 'config.json': '[]' }, 'model/invalid', 'config.json: an array of 0 was found'],
    [
      'quantised weights',
      { ...sharded, 'config.json': '{"quantization_config":{"quant_method":"awq"}}' },
      'model/unsupported',
      '"quant_method":"awq"',
    ],
    [
      'a weight of F8',
      {
        'config.json': config,
        'model.safetensors': writeSafetensors([{ name: 'x.weight', dtype: 'F8_E4M3', shape: [1], data: new Uint8Array(1) }]),
      },
      'format/unsupported',
      'model.safetensors: tensor x.weight is F8_E4M3',
    ],
  ])('%s', async (_, files, code, message) => {
    const error = await failure(
      openHuggingFaceFolder(sources(Object.fromEntries(Object.entries(files).filter(([, data]) => data !== undefined)))),
    );
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test(`${MUTATIONS} damaged indexes`, { timeout: 60_000 + MUTATIONS }, async () => {
    const bytes = encoder.encode(index());
    const outcome = await readMutations('model.safetensors.index.json', bytes, async (source) => {
      try {
        return await openHuggingFaceFolder(sources(sharded).set(source.name, source));
      } catch (error) {
        // A name that was damaged is the missing shard's; the index is then not in the message.
        if (error instanceof AppError && error.code === 'model/missing-file') return null;
        throw error;
      }
    });
    expect(outcome.errors.get('model/invalid')).toBeGreaterThan(MUTATIONS / 4);
    expect(outcome.readRatio).toBeLessThanOrEqual(1);
  });
});
