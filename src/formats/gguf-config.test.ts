import { describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { llamaConfig } from '#formats/gguf-config.ts';
import { GGML_TYPES, type GgmlType } from '#formats/gguf-types.ts';
import type { GgufFile, GgufValue } from '#formats/gguf.ts';

const sizes: Record<string, GgufValue> = {
  embedding_length: 64,
  feed_forward_length: 96,
  block_count: 2,
  context_length: 128,
  'attention.head_count': 4,
  'attention.layer_norm_rms_epsilon': 1e-5,
};

function fileOf(values: Record<string, GgufValue | undefined>): GgufFile {
  const entries = Object.entries({ ...sizes, ...values }).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined);
  const embedding = { name: 'token_embd.weight', type: GGML_TYPES.get(0) as GgmlType, shape: [48, 64], start: 0, end: 12288 };
  return {
    source: memorySource('m.gguf', new Uint8Array(0)),
    version: 3,
    alignment: 32,
    metadata: new Map(entries.map(([key, value]) => [`llama.${key}`, value])),
    tensors: new Map([[embedding.name, embedding]]),
  };
}

describe('llamaConfig', () => {
  test("what is left out has llama.cpp's defaults", () => {
    expect(llamaConfig(fileOf({ 'attention.layer_norm_rms_epsilon': 1e-6 }), null)).toMatchObject({
      vocab_size: 48,
      num_key_value_heads: 4,
      head_dim: 16,
      rms_norm_eps: 1e-6,
      rope_theta: 10000,
      rope_scaling: null,
      tie_word_embeddings: true,
      attention_bias: false,
      pad_token_id: null,
    });
  });

  test.each<[string, Record<string, GgufValue>, unknown]>([
    ['none', { 'rope.scaling.type': 'none', 'rope.scaling.factor': 4 }, null],
    ['linear', { 'rope.scaling.type': 'linear', 'rope.scaling.factor': 4 }, { rope_type: 'linear', factor: 4 }],
    ['linear, as old files say it', { 'rope.scale_linear': 2 }, { rope_type: 'linear', factor: 2 }],
    ['linear by 1, as old files say it', { 'rope.scale_linear': 1 }, null],
    [
      'yarn',
      { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 8, 'rope.scaling.original_context_length': 4096 },
      { rope_type: 'yarn', factor: 8, original_max_position_embeddings: 4096 },
    ],
  ])('RoPE scaling: %s', (_, values, expected) => {
    expect(llamaConfig(fileOf(values), null).rope_scaling).toEqual(expected);
  });

  test.each<[string, Record<string, GgufValue | undefined>, string, string]>([
    ['heads by block', { 'attention.head_count': Int32Array.of(4, 2) }, 'model/unsupported', 'llama.attention.head_count is a list of 2'],
    ['a size that is a word', { block_count: '2' }, 'model/unsupported', 'llama.block_count is 2, one number was expected'],
    ['half a block', { block_count: 1.5 }, 'model/invalid', 'llama.block_count is 1.5'],
    ['no epsilon', { 'attention.layer_norm_rms_epsilon': undefined }, 'model/invalid', 'no llama.attention.layer_norm_rms_epsilon'],
    ['an epsilon of 0', { 'attention.layer_norm_rms_epsilon': 0 }, 'model/invalid', 'layer_norm_rms_epsilon is 0'],
    ['an epsilon that is no number', { 'attention.layer_norm_rms_epsilon': NaN }, 'model/unsupported', 'layer_norm_rms_epsilon is NaN'],
    ['heads that do not divide', { 'attention.head_count': 6 }, 'model/invalid', 'heads of 10.66'],
    ['values of another size', { 'attention.value_length': 8 }, 'model/unsupported', 'values of 8'],
    ['a scaling type that is a number', { 'rope.scaling.type': 1 }, 'model/invalid', 'llama.rope.scaling.type is no string'],
  ])('%s', (_, values, code, message) => {
    expect(() => llamaConfig(fileOf(values), null)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });

  test('RoPE factors of another length', () => {
    expect(() => llamaConfig(fileOf({}), [1, 2])).toThrow('m.gguf: tensor rope_freqs.weight has 2 values, 8 were expected');
  });
});
