import { describe, expect, it } from 'vitest';
import { type AttentionVariant, MAX_BLOCKED_HEAD_SIZE } from '#engine/ops/attention/attention-kernels.ts';
import { attentionGradientReference, attentionReference } from '#engine/ops/attention/attention.ref.ts';
import { attention } from '#engine/ops/attention/attention.ts';
import { assertClose, maxDifference, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  /** Lengths of the packed segments. */
  segments: number[];
  /** Tokens of padding behind them. */
  padding?: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  maxBindingBytes?: number;
  /** Multiplies q: large scores make a softmax of one weight. */
  sharpness?: number;
}

const control: Case = { name: 'control', segments: [20, 13], padding: 3, heads: 4, kvHeads: 2, headSize: 12 };
const cases: Case[] = [
  control,
  { ...control, name: 'one token', segments: [1], padding: 0 },
  { ...control, name: 'one segment, one past the blocks', segments: [33], padding: 0 },
  { ...control, name: 'segments of one token', segments: [1, 1, 1, 1, 1, 7], padding: 5 },
  { ...control, name: 'segments that begin anywhere in a block', segments: [5, 2, 3, 9, 1, 6] },
  { ...control, name: 'as many kv heads as heads', kvHeads: 4 },
  { ...control, name: 'four heads a kv head', kvHeads: 1 },
  { ...control, name: 'three heads', heads: 3, kvHeads: 3 },
  { ...control, name: 'five heads', heads: 5, kvHeads: 5, segments: [7] },
  { ...control, name: 'the smallest head', headSize: 4 },
  { ...control, name: 'heads of 64', headSize: 64 },
  { ...control, name: 'heads of 128', headSize: 128, segments: [18, 5] },
  { ...control, name: 'one weight a query', sharpness: 100 },
  { ...control, name: 'small bindings', segments: [50, 30, 37], headSize: 64, maxBindingBytes: 65536 },
];

/** The batch's arrays for packed segments with padding behind them. */
function packed(segments: number[], padding: number) {
  const start: number[] = [];
  const end: number[] = [];
  const keyEnd: number[] = [];
  for (const length of [...segments, ...Array.from({ length: padding }, () => 1)]) {
    const first = start.length;
    for (let i = 0; i < length; i++) {
      start.push(first);
      end.push(first + i + 1);
      keyEnd.push(first + length);
    }
  }
  return { start: Uint32Array.from(start), end: Uint32Array.from(end), keyEnd: Uint32Array.from(keyEnd) };
}

describe('attention', () => {
  for (const variant of ['plain', 'blocked'] as const) {
    const largest = variant === 'plain' ? 256 : MAX_BLOCKED_HEAD_SIZE;
    for (const c of cases.filter(({ headSize }) => headSize <= largest)) {
      it(`equals its reference, ${variant}: ${c.name}`, () => expectReference(c, variant));
    }
  }

  async function expectReference(c: Case, variant: AttentionVariant): Promise<void> {
    const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
    const { heads, kvHeads, headSize } = c;
    const shape = { heads, kvHeads, headSize, scale: 1 / Math.sqrt(headSize) };
    const { start, end, keyEnd } = packed(c.segments, c.padding ?? 0);
    const tokens = start.length;
    const q = randomValues(tokens * heads * headSize, 1, c.sharpness ?? 1);
    const k = randomValues(tokens * kvHeads * headSize, 2);
    const v = randomValues(tokens * kvHeads * headSize, 3);
    const dOut = randomValues(tokens * heads * headSize, 4);
    const result = await runOp(gpu, {
      inputs: {
        q: { shape: [tokens, heads * headSize], data: q, gradient: 'activation' },
        k: { shape: [tokens, kvHeads * headSize], data: k, gradient: 'activation' },
        v: { shape: [tokens, kvHeads * headSize], data: v, gradient: 'activation' },
        rangeStart: { shape: [tokens], data: start },
        rangeEnd: { shape: [tokens], data: end },
        keyEnd: { shape: [tokens], data: keyEnd },
      },
      build: (r, t) => {
        const ranges = { rangeStart: t['rangeStart'], rangeEnd: t['rangeEnd'], keyEnd: t['keyEnd'] };
        return { out: attention(r, t['q'], t['k'], t['v'], ranges, shape, variant) };
      },
      outputGradients: { out: dOut },
    });
    const inputs = { q, k, v, start, end };
    const { dq, dk, dv } = attentionGradientReference(shape, inputs, dOut);
    // Scores of a few hundred carry their own rounding into the exponent.
    const bound = c.sharpness ? 2e-5 : 2e-6;
    assertClose('out', result.outputs['out'], attentionReference(shape, inputs), bound);
    assertClose('dv', result.gradients['v'], dv, bound);
    if (tokens === 1) {
      // One key has the whole weight whatever its score: the gradients of q and k are zero, and rounding is all that there is.
      expect(maxDifference(result.gradients['q'], dq)).toBeLessThan(1e-6);
      expect(maxDifference(result.gradients['k'], dk)).toBeLessThan(1e-6);
    } else {
      assertClose('dq', result.gradients['q'], dq, bound);
      assertClose('dk', result.gradients['k'], dk, bound);
    }
  }

  it('gives a query with an empty range zeros, and no gradient', async () => {
    const gpu = await testGpu();
    const shape = { heads: 4, kvHeads: 2, headSize: 12, scale: 0.3 };
    const tokens = 9;
    const [q, dOut] = [1, 4].map((seed) => randomValues(tokens * 48, seed));
    const [k, v] = [2, 3].map((seed) => randomValues(tokens * 24, seed));
    // Queries 3 and 8 see nothing: their own keys 3 and 8 are seen by the queries behind them alone.
    const start = Uint32Array.from([0, 0, 0, 3, 3, 3, 3, 3, 9]);
    const end = Uint32Array.from([1, 2, 3, 3, 5, 6, 7, 8, 9]);
    const keyEnd = Uint32Array.from([3, 3, 3, 8, 8, 8, 8, 8, 9]);
    for (const variant of ['plain', 'blocked'] as const) {
      const result = await runOp(gpu, {
        inputs: {
          q: { shape: [tokens, 48], data: q, gradient: 'activation' },
          k: { shape: [tokens, 24], data: k, gradient: 'activation' },
          v: { shape: [tokens, 24], data: v, gradient: 'activation' },
          start: { shape: [tokens], data: start },
          end: { shape: [tokens], data: end },
          keyEnd: { shape: [tokens], data: keyEnd },
        },
        build: (r, t) => {
          const ranges = { rangeStart: t['start'], rangeEnd: t['end'], keyEnd: t['keyEnd'] };
          return { out: attention(r, t['q'], t['k'], t['v'], ranges, shape, variant) };
        },
        outputGradients: { out: dOut },
      });
      const inputs = { q, k, v, start, end };
      const { dq, dk, dv } = attentionGradientReference(shape, inputs, dOut);
      assertClose('out', result.outputs['out'], attentionReference(shape, inputs), 2e-6);
      assertClose('dq', result.gradients['q'], dq, 2e-6);
      assertClose('dk', result.gradients['k'], dk, 2e-6);
      assertClose('dv', result.gradients['v'], dv, 2e-6);
      expect(result.outputs['out'].subarray(3 * 48, 4 * 48).every((x) => x === 0)).toBe(true);
    }
  });

  // A cache's rows outside of every range hold anything: here what shows wherever it is read.
  it('reads of a cache the rows of its ranges alone', async () => {
    const gpu = await testGpu();
    const shape = { heads: 4, kvHeads: 2, headSize: 16, scale: 0.25 };
    const start = Uint32Array.from([2, 2, 40, 60, 0]);
    const end = Uint32Array.from([9, 10, 57, 61, 0]);
    const cacheRows = 64;
    const q = randomValues(5 * 64, 1);
    const [k, v] = [2, 3].map((seed) => {
      const values = randomValues(cacheRows * 32, seed);
      const isRead = (row: number) => start.some((first, i) => row >= first && row < end[i]);
      return values.map((value, i) => (isRead(Math.floor(i / 32)) ? value : NaN));
    });
    const result = await runOp(gpu, {
      inputs: {
        q: { shape: [5, 64], data: q },
        k: { shape: [cacheRows, 32], data: k },
        v: { shape: [cacheRows, 32], data: v },
        start: { shape: [5], data: start },
        end: { shape: [5], data: end },
      },
      build: (r, t) => ({ out: attention(r, t['q'], t['k'], t['v'], { rangeStart: t['start'], rangeEnd: t['end'] }, shape) }),
    });
    assertClose('out', result.outputs['out'], attentionReference(shape, { q, k, v, start, end }), 2e-6);
  });
});
