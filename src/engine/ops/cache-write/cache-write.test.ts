import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { region, regionTensor } from '#engine/graph/tensor.ts';
import { cacheWriteReference } from '#engine/ops/cache-write/cache-write.ref.ts';
import { cacheWrite } from '#engine/ops/cache-write/cache-write.ts';

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('cacheWrite', () => {
  it('has a reference that writes rows and skips what is none', () => {
    expect([...cacheWriteReference([1, 2, 3, 4], [2, 0xffffffff], [0, 0, 0, 0, 0, 0], 2)]).toEqual([0, 0, 0, 0, 1, 2]);
  });

  it('refuses a cache in the arena or of another width, and an activation that needs a gradient', () => {
    const r = new Recorder(limits);
    const x = r.tensor('x', [4, 8]);
    const rows = r.tensor('rows', [4]);
    const cache = regionTensor('cache', [16, 8], region('cache', 'kv-cache', 512));
    expect(() => cacheWrite(r, x, rows, r.tensor('cache', [16, 8]))).toThrow('lies in the arena');
    expect(() => cacheWrite(r, r.tensor('x', [4, 4]), rows, cache)).toThrow('x [4, 4] into a cache [16, 8]');
    x.needsGrad = true;
    expect(() => cacheWrite(r, x, rows, cache)).toThrow('x needs a gradient');
  });
});
