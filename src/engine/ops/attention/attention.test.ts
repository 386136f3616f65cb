import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { attentionGradientReference, attentionReference } from '#engine/ops/attention/attention.ref.ts';
import { attention } from '#engine/ops/attention/attention.ts';
import { assertGradient, randomValues } from '#engine/ops/testing/compare.ts';

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };
const values = (count: number, seed: number) => Float64Array.from(randomValues(count, seed));

describe('attention reference', () => {
  const shape = { heads: 4, kvHeads: 2, headSize: 4, scale: 0.5 };
  // Two segments, of three tokens and of one; the last query sees nothing.
  const ranges = { start: [0, 0, 0, 3, 4], end: [1, 2, 3, 4, 4] };
  const inputs = { q: values(5 * 16, 1), k: values(5 * 8, 2), v: values(5 * 8, 3), ...ranges };

  it('gives the value itself to a query of one key, and zeros to a query of none', () => {
    const out = attentionReference(shape, inputs);
    for (let head = 0; head < 4; head++) {
      const kvHead = head >> 1;
      expect([...out.subarray(head * 4, head * 4 + 4)]).toEqual([...inputs.v.subarray(kvHead * 4, kvHead * 4 + 4)]);
    }
    expect(out.subarray(4 * 16).every((x) => x === 0)).toBe(true);
  });

  it('has the gradients of its central differences', () => {
    const dOut = values(5 * 16, 4);
    const { dq, dk, dv } = attentionGradientReference(shape, inputs, dOut);
    assertGradient('dq', (q) => attentionReference(shape, { ...inputs, q }), inputs.q, dOut, dq);
    assertGradient('dk', (k) => attentionReference(shape, { ...inputs, k }), inputs.k, dOut, dk);
    assertGradient('dv', (v) => attentionReference(shape, { ...inputs, v }), inputs.v, dOut, dv);
  });
});

describe('attention', () => {
  const r = new Recorder(limits);
  const tokens = 6;
  const array = (name: string) => r.tensor(name, [tokens]);
  const ranges = { rangeStart: array('rangeStart'), rangeEnd: array('rangeEnd') };
  const shape = { heads: 4, kvHeads: 2, headSize: 8, scale: 1 };
  const q = r.tensor('q', [tokens, 32]);
  const k = r.tensor('k', [tokens, 16]);
  const v = r.tensor('v', [tokens, 16]);

  it('takes the blocked kernel for a packed batch and the plain one for a cache or a large head', () => {
    const kernelFor = (headSize: number, isPacked: boolean) => {
      const recorder = new Recorder(limits);
      const [query, key, value] = ['q', 'k', 'v'].map((name) => recorder.tensor(name, [tokens, headSize]));
      const packed = isPacked ? { ...ranges, keyEnd: array('keyEnd') } : ranges;
      attention(recorder, query, key, value, packed, { heads: 1, kvHeads: 1, headSize, scale: 1 });
      return recorder.dispatches[0].kernel.name;
    };
    expect(kernelFor(96, true)).toBe('attention-forward-blocked-96');
    expect(kernelFor(100, true)).toBe('attention-forward-128');
    expect(kernelFor(96, false)).toBe('attention-forward-96');
  });

  it('refuses shapes that do not fit', () => {
    expect(() => attention(r, q, k, v, ranges, { ...shape, headSize: 6 })).toThrow('heads of 6');
    expect(() => attention(r, q, k, v, ranges, { ...shape, headSize: 260 })).toThrow('heads of 260');
    expect(() => attention(r, q, k, v, ranges, { ...shape, kvHeads: 3 })).toThrow('4 heads over 3 kv heads');
    expect(() => attention(r, k, k, v, ranges, shape)).toThrow('q [6, 16] for 4 heads of 8');
    expect(() => attention(r, q, q, v, ranges, shape)).toThrow('k [6, 32] and v [6, 16]');
    const short = { ...ranges, rangeEnd: r.tensor('rangeEnd', [tokens - 1]) };
    expect(() => attention(r, q, k, v, short, shape)).toThrow('rangeEnd [5] for 6 tokens');
  });

  it('refuses a gradient without keyEnd', () => {
    const trained = r.tensor('q', [tokens, 32]);
    trained.needsGrad = true;
    expect(() => attention(r, trained, k, v, ranges, shape)).toThrow('a gradient needs keyEnd');
  });
});
