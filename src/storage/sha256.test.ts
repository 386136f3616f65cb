import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { Random } from '#base/random.ts';
import { Sha256 } from '#storage/sha256.ts';

const hashOf = (pieces: readonly Uint8Array[]): string => {
  const hash = new Sha256();
  for (const piece of pieces) hash.update(piece);
  return hash.hex();
};

test('the examples of FIPS 180-4', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(hashOf([])).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(hashOf([bytes('abc')])).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const twoBlocks = 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq';
  expect(hashOf([bytes(twoBlocks)])).toBe('248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1');
});

test('every length up to three blocks, and pieces cut anywhere, have the hash that Node gives', () => {
  const random = new Random(5);
  for (let length = 0; length <= 192; length++) {
    const bytes = new Uint8Array(length).map(() => random.below(256));
    const expected = createHash('sha256').update(bytes).digest('hex');
    expect(hashOf([bytes])).toBe(expected);
    const [first, second] = [random.below(length + 1), random.below(length + 1)].sort((a, b) => a - b);
    expect(hashOf([bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)])).toBe(expected);
  }
});
