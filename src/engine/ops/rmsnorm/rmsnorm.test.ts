import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { parameterTensor, region, regionTensor } from '#engine/graph/tensor.ts';
import { rmsnormGradientReference, rmsnormReference } from '#engine/ops/rmsnorm/rmsnorm.ref.ts';
import { rmsnorm } from '#engine/ops/rmsnorm/rmsnorm.ts';
import { assertGradient, randomValues } from '#engine/ops/testing/compare.ts';

describe('rmsnorm reference', () => {
  it('scales a row to a root mean square of one', () => {
    const y = rmsnormReference([3, 4, 0, 0], [1, 1, 1, 2], 0);
    expect([...y].map((v) => Number(v.toFixed(12)))).toEqual([1.2, 1.6, 0, 0]);
  });

  it('has the gradient of its central differences', () => {
    const x = Float64Array.from(randomValues(3 * 8, 1));
    const weight = Float64Array.from(randomValues(8, 2));
    const dy = Float64Array.from(randomValues(3 * 8, 3));
    assertGradient('dx', (v) => rmsnormReference(v, weight, 0.1), x, dy, rmsnormGradientReference(x, weight, 0.1, dy));
  });
});

describe('rmsnorm', () => {
  it('refuses a trainable weight and a weight of another width', () => {
    const r = new Recorder({ maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 });
    const x = r.tensor('x', [2, 8]);
    const trainable = parameterTensor('norm', [8], region('value', 'adapter', 32), region('gradient', 'gradients', 32), 0);
    expect(() => rmsnorm(r, x, trainable, 1e-5)).toThrow('norm is trainable');
    const narrow = regionTensor('norm', [4], region('value', 'weights', 16));
    expect(() => rmsnorm(r, x, narrow, 1e-5)).toThrow('norm is [4], not [8]');
  });
});
