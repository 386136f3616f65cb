import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { gatherRowsReference } from '#engine/ops/gather-rows/gather-rows.ref.ts';
import { gatherRows } from '#engine/ops/gather-rows/gather-rows.ts';

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('gatherRows', () => {
  it('has a reference that takes rows, and zeros past the end', () => {
    expect([...gatherRowsReference([1, 2, 3, 4], [1, 2, 1], 2)]).toEqual([3, 4, 0, 0, 3, 4]);
  });

  it('refuses an activation that needs a gradient, and more rows than indices', () => {
    const r = new Recorder(limits);
    const x = r.tensor('x', [4, 8]);
    const rows = r.tensor('rows', [2]);
    expect(() => gatherRows(r, x, rows, 3)).toThrow('3 of rows [2]');
    x.needsGrad = true;
    expect(() => gatherRows(r, x, rows, 2)).toThrow('x needs a gradient');
  });
});
