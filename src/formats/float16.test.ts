import { describe, expect, test } from 'vitest';
import { bf16ToF32, f16ToF32 } from '#formats/float16.ts';

describe('f16ToF32', () => {
  test.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
  ])('0x%s', (bits, value) => {
    expect(f16ToF32(bits)).toBe(value);
  });

  test('values rise with their bits', () => {
    for (let bits = 1; bits <= 0x7c00; bits++) expect(f16ToF32(bits)).toBeGreaterThan(f16ToF32(bits - 1));
  });
});

test('bf16ToF32 is the upper half of an f32', () => {
  expect(bf16ToF32(0x3f80)).toBe(1);
  expect(bf16ToF32(0xc049)).toBe(-3.140625);
  expect(bf16ToF32(0x7f80)).toBe(Infinity);
  expect(bf16ToF32(0x0001)).toBe(2 ** -133);
});
