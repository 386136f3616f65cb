import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BLOCKS, blockBytes, dequantize, type WeightType } from '#formats/ggml-blocks.ts';

// Written by reference/ggml_blocks.py with the gguf package.
const fixture = JSON.parse(readFileSync(new URL('fixtures/ggml-blocks.json', import.meta.url), 'utf8')) as {
  types: Record<WeightType, { bytes: string; values: string }>;
};
const decode = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

describe('dequantize', () => {
  test.each(Object.keys(BLOCKS) as WeightType[])('%s gives the bits that gguf gives', (type) => {
    const { bytes, values } = fixture.types[type];
    const expected = new Uint32Array(decode(values).buffer);
    const found = dequantize(type, decode(bytes));
    expect(found.length).toBeGreaterThan(60);
    expect(new Uint32Array(found.buffer)).toEqual(expected);
  });

  test('bytes at an odd place in their buffer', () => {
    const bytes = decode(fixture.types.q4_1.bytes);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(dequantize('q4_1', shifted.subarray(1))).toEqual(dequantize('q4_1', bytes));
    expect(dequantize('f32', shifted.subarray(1, 9))).toHaveLength(2);
  });

  test('parts of blocks are refused', () => {
    expect(() => dequantize('q8_0', new Uint8Array(35))).toThrow('not whole blocks of 34');
    expect(() => blockBytes('q4_0', 33)).toThrow('not whole blocks of 32');
    expect(blockBytes('q4_0', 64)).toBe(36);
  });
});
