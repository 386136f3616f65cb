import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { addReference } from '#engine/ops/add/add.ref.ts';
import { add } from '#engine/ops/add/add.ts';
import { assertGradient, randomValues } from '#engine/ops/testing/compare.ts';

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('add', () => {
  it('hands the gradient of its reference to both inputs', () => {
    const [x, y, dout] = [1, 2, 3].map((seed) => Float64Array.from(randomValues(8, seed))) as [Float64Array, Float64Array, Float64Array];
    assertGradient('dx', (v) => addReference(v, y), x, dout, dout);
    assertGradient('dy', (v) => addReference(x, v), y, dout, dout);
  });

  it('refuses two shapes and one tensor twice', () => {
    const r = new Recorder(limits);
    const x = r.tensor('x', [2, 8]);
    expect(() => add(r, x, r.tensor('y', [2, 4]))).toThrow('[2, 8] and [2, 4] differ');
    expect(() => add(r, x, x)).toThrow('x is given twice');
  });
});
