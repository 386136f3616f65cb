import { describe, expect, it } from 'vitest';
import { clipReference } from '#engine/ops/gradient-norm/gradient-norm.ref.ts';
import { CLIP, recordGradientNorm } from '#engine/ops/gradient-norm/gradient-norm.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

async function clipOf(gradients: Float32Array, maxNorm: number, maxBindingBytes?: number): Promise<Float32Array> {
  const gpu = await testGpu(maxBindingBytes ? { maxBindingBytes } : {});
  const { outputs } = await runOp(gpu, {
    inputs: {
      gradients: { shape: [gradients.length / 4, 4], data: gradients },
      clip: { shape: [4], data: new Float32Array(4).fill(5) },
    },
    build: (r, { gradients, clip }) => {
      recordGradientNorm(r, gradients, clip, maxNorm);
      return { clip };
    },
  });
  return outputs['clip'];
}

const cases = [
  { name: 'control', count: 1000, maxNorm: 1 },
  { name: 'one vector', count: 4, maxNorm: 1 },
  { name: 'a norm below the bound', count: 1000, maxNorm: 1000 },
  { name: 'no clipping', count: 1000, maxNorm: 0 },
  { name: 'one vector past a workgroup', count: 4100, maxNorm: 1 },
  { name: 'more partial sums than lanes', count: 400_004, maxNorm: 1 },
  { name: 'past a binding', count: 40_004, maxNorm: 1, maxBindingBytes: 65536 },
];

describe('gradient-norm', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gradients = randomValues(c.count, 1);
      const clip = await clipOf(gradients, c.maxNorm, c.maxBindingBytes);
      const { norm, factor } = clipReference(gradients, c.maxNorm);
      assertClose('norm', [clip[CLIP.norm]], [norm], 1e-6);
      assertClose('factor', [clip[CLIP.factor]], [factor], 1e-6);
      expect(clip[CLIP.finite]).toBe(1);
    });
  }

  it('has norm 0 and factor 1 where every gradient is 0', async () => {
    expect([...(await clipOf(new Float32Array(64), 1))]).toEqual([0, 1, 1, 0]);
  });

  for (const [name, value] of [
    ['NaN', NaN],
    ['infinity', Infinity],
    ['minus infinity', -Infinity],
    ['a value whose square is not finite', 1e30],
  ] as const) {
    for (const at of [0, 4999, 9999]) {
      it(`finds ${name} at element ${at}`, async () => {
        const gradients = randomValues(10_000, 1);
        gradients[at] = value;
        const clip = await clipOf(gradients, 1);
        expect([...clip]).toEqual([Infinity, 0, 0, 0]);
      });
    }
  }
});
