import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { ropeReference } from '#engine/ops/rope/rope.ref.ts';
import { inverseFrequencies, rope, ropeFromConfig, ropeTable } from '#engine/ops/rope/rope.ts';
import { assertGradient, maxDifference, randomValues } from '#engine/ops/testing/compare.ts';

interface Fixture {
  positions: number[];
  cases: Record<string, { headSize: number; config: Record<string, unknown>; inverseFrequencies: number[]; cos: number[]; sin: number[] }>;
}

const fixture = JSON.parse(readFileSync(new URL('fixtures/rope.json', import.meta.url), 'utf8')) as Fixture;
/** One unit in the last place: PyTorch's power is off by as much. */
const ONE_ULP = 2 ** -23;

describe('rotary table', () => {
  for (const [name, { headSize, config, inverseFrequencies: expected, cos, sin }] of Object.entries(fixture.cases)) {
    it(`has the frequencies and angles of transformers: ${name}`, () => {
      const described = { ...ropeFromConfig(config), headSize };
      const frequencies = inverseFrequencies(described);
      expect(frequencies.length).toBe(expected.length);
      for (const [j, frequency] of frequencies.entries()) expect(Math.abs(frequency / expected[j] - 1)).toBeLessThanOrEqual(2 * ONE_ULP);
      const last = Math.max(...fixture.positions);
      const table = ropeTable(described, last + 1);
      const half = headSize / 2;
      for (const [i, position] of fixture.positions.entries()) {
        const row = table.subarray(position * headSize, (position + 1) * headSize);
        const even = row.filter((_, j) => j % 2 === 0);
        const odd = row.filter((_, j) => j % 2 === 1);
        // An angle of p radians moves by p units when its frequency moves by one.
        const bound = 1e-6 + position * 2 * ONE_ULP;
        expect(maxDifference(even, cos.slice(i * half, (i + 1) * half))).toBeLessThan(bound);
        expect(maxDifference(odd, sin.slice(i * half, (i + 1) * half))).toBeLessThan(bound);
      }
    });
  }

  it('divides by the factors of a GGUF, which hold Llama 3 scaling worked out', () => {
    const { headSize, config, inverseFrequencies: expected } = fixture.cases['llama3'];
    const { theta } = ropeFromConfig(config);
    const plain = inverseFrequencies({ theta, headSize, scaling: null });
    const factors = Array.from(plain, (frequency, j) => Math.fround(frequency / expected[j]));
    expect(factors.at(-1)).toBe(32);
    for (const [j, frequency] of inverseFrequencies({ theta, headSize, scaling: null, factors }).entries()) {
      expect(Math.abs(frequency / expected[j] - 1)).toBeLessThanOrEqual(2 * ONE_ULP);
    }
  });
});

describe('ropeFromConfig', () => {
  const rejected: [string, Record<string, unknown>, string, string][] = [
    ['another type', { rope_parameters: { rope_type: 'yarn', factor: 4 } }, 'model/unsupported', 'rope_type is "yarn"'],
    ['another type in old words', { rope_scaling: { type: 'dynamic', factor: 4 } }, 'model/unsupported', 'rope_type is "dynamic"'],
    ['partial rotation', { partial_rotary_factor: 0.5 }, 'model/unsupported', 'partial_rotary_factor is 0.5'],
    ['a scaling without a factor', { rope_scaling: { type: 'linear' } }, 'model/invalid', 'factor of the rotary embedding is undefined'],
    ['a theta that is no number', { rope_theta: 'ten' }, 'model/invalid', 'rope_theta of the rotary embedding is "ten"'],
    ['a theta below 0', { rope_parameters: { rope_theta: -1 } }, 'model/invalid', 'rope_theta of the rotary embedding is -1'],
    ['parameters that are no object', { rope_parameters: [1] }, 'model/invalid', 'rope_parameters is [1]'],
    [
      'llama3 with equal bounds',
      {
        rope_parameters: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4, original_max_position_embeddings: 32 },
      },
      'model/invalid',
      'high_freq_factor is 4',
    ],
  ];
  for (const [name, config, code, message] of rejected) {
    it(`rejects ${name}`, () => {
      expect(() => ropeFromConfig(config)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
    });
  }
});

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('rope reference', () => {
  const positions = [0, 3, 1];
  const table = Float64Array.from(ropeTable({ theta: 100, headSize: 4, scaling: null }, 4));

  it('turns the pair (j, j + headSize / 2) by its angle', () => {
    const turned = ropeReference([1, 0, 0, 0, 0, 0, 1, 0], [3], table, 4);
    const expected = [Math.cos(3), 0, Math.sin(3), 0, -Math.sin(3), 0, Math.cos(3), 0];
    for (const [i, value] of turned.entries()) expect(value).toBeCloseTo(expected[i], 6);
  });

  it('has the gradient of its central differences', () => {
    const x = Float64Array.from(randomValues(3 * 8, 1));
    const dy = Float64Array.from(randomValues(3 * 8, 2));
    assertGradient('dx', (v) => ropeReference(v, positions, table, 4), x, dy, ropeReference(dy, positions, table, 4, -1));
  });
});

describe('rope', () => {
  it('refuses heads that do not fit x or the table', () => {
    const r = new Recorder(limits);
    const x = r.tensor('x', [2, 24]);
    const positions = r.tensor('positions', [2]);
    expect(() => rope(r, x, positions, r.tensor('table', [8, 8, 2]), 16)).toThrow('x [2, 24] does not hold heads of 16');
    expect(() => rope(r, x, positions, r.tensor('table', [8, 8, 2]), 12)).toThrow('table [8, 8, 2] for heads of 12');
    expect(() => rope(r, r.tensor('x', [3, 24]), positions, r.tensor('table', [8, 6, 2]), 12)).toThrow('3 tokens with positions [2]');
  });
});
