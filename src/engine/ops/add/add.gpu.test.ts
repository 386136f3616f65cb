import { describe, it } from 'vitest';
import { addReference } from '#engine/ops/add/add.ref.ts';
import { add } from '#engine/ops/add/add.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

const cases = [
  { name: 'control', rows: 32, width: 64 },
  { name: 'one vector', rows: 1, width: 4 },
  { name: 'one vector past a workgroup', rows: 5, width: 52 },
  { name: 'small bindings', rows: 75, width: 256, maxBindingBytes: 65536 },
];

describe('add', () => {
  for (const { name, rows, width, maxBindingBytes } of cases) {
    it(`equals its reference: ${name}`, async () => {
      const gpu = await testGpu(maxBindingBytes ? { maxBindingBytes } : {});
      const x = randomValues(rows * width, 1);
      const y = randomValues(rows * width, 2);
      const dout = randomValues(rows * width, 3);
      const result = await runOp(gpu, {
        inputs: {
          x: { shape: [rows, width], data: x, gradient: 'activation' },
          y: { shape: [rows, width], data: y, gradient: 'activation' },
        },
        build: (r, t) => ({ out: add(r, t['x'], t['y']) }),
        outputGradients: { out: dout },
      });
      assertClose('out', result.outputs['out'], addReference(x, y), 1e-7);
      assertClose('dx', result.gradients['x'], dout, 0);
      assertClose('dy', result.gradients['y'], dout, 0);
    });
  }

  // x feeds two sums: what had arrived from one is shared with another tensor, so the other's must not be added in place.
  it('keeps a gradient that another tensor shares', async () => {
    const gpu = await testGpu();
    const [x, y, z, first, second] = [1, 2, 3, 4, 5].map((seed) => randomValues(6 * 8, seed)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const input = (data: Float32Array) => ({ shape: [6, 8], data, gradient: 'activation' as const });
    const result = await runOp(gpu, {
      inputs: { x: input(x), y: input(y), z: input(z) },
      build: (r, t) => ({ first: add(r, t['x'], t['y']), second: add(r, t['x'], t['z']) }),
      outputGradients: { first, second },
    });
    assertClose('dx', result.gradients['x'], addReference(first, second), 1e-7);
    assertClose('dy', result.gradients['y'], first, 0);
    assertClose('dz', result.gradients['z'], second, 0);
  });
});
