import { describe, it } from 'vitest';
import { add } from '#engine/ops/add/add.ts';
import { rmsnormGradientReference, rmsnormReference } from '#engine/ops/rmsnorm/rmsnorm.ref.ts';
import { rmsnorm } from '#engine/ops/rmsnorm/rmsnorm.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  rows: number;
  width: number;
  scale?: number;
  maxBindingBytes?: number;
}

const control: Case = { name: 'control', rows: 32, width: 64 };
const cases: Case[] = [
  control,
  { ...control, name: 'one row', rows: 1 },
  { ...control, name: 'primes', rows: 5, width: 124 },
  { ...control, name: 'one vector a row', rows: 7, width: 4 },
  { ...control, name: 'heads of 12', rows: 17 * 3, width: 12 },
  { ...control, name: 'a real width', rows: 16, width: 2048 },
  { ...control, name: 'one past the lanes, both ways', rows: 9, width: 1028 },
  { ...control, name: 'values near epsilon', scale: 1e-3 },
  { ...control, name: 'large values', scale: 1e4 },
  { ...control, name: 'small bindings', rows: 150, width: 256, maxBindingBytes: 65536 },
];
const EPSILON = 1e-5;

describe('rmsnorm', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { rows, width } = c;
      const x = randomValues(rows * width, 1, c.scale ?? 1);
      const weight = randomValues(width, 2);
      const dy = randomValues(rows * width, 3);
      const result = await runOp(gpu, {
        inputs: { x: { shape: [rows, width], data: x, gradient: 'activation' }, weight: { shape: [width], data: weight } },
        build: (r, t) => ({ y: rmsnorm(r, t['x'], t['weight'], EPSILON) }),
        outputGradients: { y: dy },
      });
      assertClose('y', result.outputs['y'], rmsnormReference(x, weight, EPSILON), 2e-6);
      assertClose('dx', result.gradients['x'], rmsnormGradientReference(x, weight, EPSILON, dy), 2e-6);
    });
  }

  // One more workgroup than a dimension of a grid has: the index then comes from two dimensions.
  it('equals its reference: a grid of two dimensions', async () => {
    const gpu = await testGpu();
    const [rows, width] = [65535 * 16 + 1, 4];
    const x = randomValues(rows * width, 1);
    const weight = randomValues(width, 2);
    const result = await runOp(gpu, {
      inputs: { x: { shape: [rows, width], data: x }, weight: { shape: [width], data: weight } },
      build: (r, t) => ({ y: rmsnorm(r, t['x'], t['weight'], EPSILON) }),
      times: 1,
    });
    assertClose('y', result.outputs['y'], rmsnormReference(x, weight, EPSILON), 2e-6);
  });

  // The residual's gradient meets the norm's: once as a tensor of its own, once as the very tensor that is dy.
  for (const shared of [false, true]) {
    it(`adds ${shared ? 'its own output gradient' : 'a gradient'} that had arrived before`, async () => {
      const gpu = await testGpu();
      const [rows, width] = [11, 40];
      const x = randomValues(rows * width, 1);
      const other = randomValues(rows * width, 4);
      const weight = randomValues(width, 2);
      const dy = randomValues(rows * width, 3);
      const dz = randomValues(rows * width, 5);
      const result = await runOp(gpu, {
        inputs: {
          x: { shape: [rows, width], data: x, gradient: 'activation' },
          other: { shape: [rows, width], data: other },
          weight: { shape: [width], data: weight },
        },
        build: (r, t) => {
          const y = rmsnorm(r, t['x'], t['weight'], EPSILON);
          return { y, z: add(r, t['x'], shared ? y : t['other']) };
        },
        outputGradients: shared ? { z: dz } : { y: dy, z: dz },
      });
      const through = rmsnormGradientReference(x, weight, EPSILON, shared ? dz : dy);
      const dx = through.map((value, i) => value + dz[i]);
      assertClose('dx', result.gradients['x'], dx, 2e-6);
    });
  }
});
