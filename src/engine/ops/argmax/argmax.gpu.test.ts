import { describe, expect, it } from 'vitest';
import { argmaxReference } from '#engine/ops/argmax/argmax.ref.ts';
import { argmax } from '#engine/ops/argmax/argmax.ts';
import { randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

async function argmaxOf(values: Float32Array, rows: number, columns: number, maxBindingBytes?: number): Promise<number[]> {
  const gpu = await testGpu(maxBindingBytes ? { maxBindingBytes } : {});
  const { outputs } = await runOp(gpu, {
    inputs: { values: { shape: [rows, values.length / rows], data: values } },
    build: (r, { values }) => ({ out: argmax(r, values, columns) }),
  });
  return [...new Uint32Array(outputs['out'].buffer)];
}

describe('argmax', () => {
  for (const { name, rows, columns, maxBindingBytes } of [
    { name: 'control', rows: 5, columns: 96 },
    { name: 'one row', rows: 1, columns: 96 },
    { name: 'a prime count', rows: 5, columns: 1031 },
    { name: 'one column', rows: 5, columns: 1 },
    { name: 'rows past a binding', rows: 61, columns: 1031, maxBindingBytes: 65536 },
  ]) {
    it(`equals its reference: ${name}`, async () => {
      const stride = Math.ceil(columns / 4) * 4;
      const values = randomValues(rows * stride, 1);
      // Padding holds what means nothing: the largest value of all.
      for (let row = 0; row < rows; row++) values.fill(9, row * stride + columns, (row + 1) * stride);
      expect(await argmaxOf(values, rows, columns, maxBindingBytes)).toEqual(argmaxReference(values, rows, stride, columns));
    });
  }

  it('takes the lowest column on ties, whatever lane and place hold them', async () => {
    const ties = [
      [0, 1],
      [1, 2],
      [3, 4],
      [200, 300],
      [255, 256],
      [259, 1030],
      [1030, 1031],
    ];
    const stride = 1032;
    const values = new Float32Array(ties.length * stride).fill(-2);
    for (const [row, columns] of ties.entries()) for (const column of columns) values[row * stride + column] = -1;
    expect(await argmaxOf(values, ties.length, stride)).toEqual(ties.map(([first]) => first));
  });
});
