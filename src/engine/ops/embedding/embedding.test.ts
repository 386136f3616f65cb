import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { region, regionTensor } from '#engine/graph/tensor.ts';
import { embeddingReference } from '#engine/ops/embedding/embedding.ref.ts';
import { embedding } from '#engine/ops/embedding/embedding.ts';
import { describeWeight } from '#engine/ops/weights/weight-matrix.ts';

const limits = { maxBindingBytes: 65536, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('embedding', () => {
  it('has a reference that takes rows of the table, and zeros past its end', () => {
    expect([...embeddingReference([2, 0, 3], [1, 2, 3, 4, 5, 6], 2)]).toEqual([5, 6, 1, 2, 0, 0]);
  });

  it('runs once a shard, and needs no gradient', () => {
    const r = new Recorder(limits);
    const tokens = regionTensor('tokens', [16], region('batch', 'batch', 64));
    const table = describeWeight('table', 'f32', 300, 64, limits);
    const out = embedding(r, tokens, table, 16);
    expect(table.shards.map(({ start, end }) => [start, end])).toEqual([
      [0, 256],
      [256, 300],
    ]);
    expect(r.dispatches.map(({ params }) => [params['shardStart'], params['shardEnd']])).toEqual([
      [0, 256],
      [256, 300],
    ]);
    expect(out.shape).toEqual([16, 64]);
    expect(out.needsGrad).toBe(false);
  });

  it('refuses more rows than there are tokens', () => {
    const tokens = regionTensor('tokens', [16], region('batch', 'batch', 64));
    expect(() => embedding(new Recorder(limits), tokens, describeWeight('table', 'f32', 300, 64, limits), 17)).toThrow('17 of tokens [16]');
  });
});
