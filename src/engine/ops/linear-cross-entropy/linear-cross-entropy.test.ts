import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { region, regionTensor } from '#engine/graph/tensor.ts';
import { batchSizeBytes, batchTensors } from '#engine/ops/batch/batch-layout.ts';
import { describeWeight } from '#engine/ops/weights/weight-matrix.ts';
import { assertGradient, randomValues } from '#engine/ops/testing/compare.ts';
import { defaultChunkRows, linearCrossEntropy } from '#engine/ops/linear-cross-entropy/linear-cross-entropy.ts';
import { lossGradientReference, lossReference, type LossInputs } from '#engine/ops/linear-cross-entropy/linear-cross-entropy.ref.ts';

describe('linear-cross-entropy reference', () => {
  const shape = { tokens: 7, width: 8, vocab: 11 };
  const inputs = (hidden: Float64Array): LossInputs => ({
    hidden,
    head: Float64Array.from(randomValues(11 * 8, 2)),
    lossRows: [5, 0, 3, 2],
    targets: [10, 0, 4, 4],
    lossWeights: [1, 0.5, 2, 0],
    inverseLossTokens: 1 / 3,
  });

  it('has the gradient that central differences give', () => {
    const hidden = Float64Array.from(randomValues(7 * 8, 1));
    const weights = Float64Array.from([1, 0.5, 2, 0], (w) => w / 3);
    const gradient = lossGradientReference(shape, inputs(hidden));
    const losses = (x: Float64Array) => lossReference(shape, inputs(x)).losses;
    expect(() => assertGradient('hidden', losses, hidden, weights, gradient)).not.toThrow();
  });

  it('gives log(vocab) for equal logits, and calls the lowest index correct', () => {
    const { losses, correct } = lossReference(shape, inputs(new Float64Array(7 * 8)));
    for (const loss of losses) expect(loss).toBeCloseTo(Math.log(11), 12);
    expect([...correct]).toEqual([0, 1, 0, 0]);
  });
});

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('the recorded loss', () => {
  /** Names of the kernels that a batch with this many loss rows runs. */
  function encoded(lossRows: number, wantsGradient = true): string[] {
    const [capacity, width, vocab] = [20, 64, 96];
    const r = new Recorder(limits);
    const hidden = regionTensor('hidden', [capacity, width], region('hidden', 'scratch', capacity * width * 4));
    hidden.needsGrad = wantsGradient;
    const batch = batchTensors(region('batch', 'batch', batchSizeBytes(capacity)), capacity);
    linearCrossEntropy(r, hidden, describeWeight('head', 'f32', vocab, width, limits), batch, { chunkRows: 8 });
    r.backward();
    return r.dispatches
      .filter((dispatch) => lossRows > dispatch.minLossRows)
      .map((dispatch) => dispatch.kernel.name.replace(/-activation.*|-f32.*/, ''));
  }
  const forward = ['gather-loss-rows', 'matmul-nt', 'row-statistics'];
  const chunk = [...forward, 'logits-gradient', 'matmul-nn'];

  it('runs only the chunks that hold loss rows, and clears the gradient whatever they are', () => {
    expect(encoded(0)).toEqual(['scatter-loss-rows']);
    expect(encoded(1)).toEqual([...chunk, 'scatter-loss-rows']);
    expect(encoded(8)).toEqual([...chunk, 'scatter-loss-rows']);
    expect(encoded(9)).toEqual([...chunk, ...chunk, 'scatter-loss-rows']);
    expect(encoded(20)).toEqual([...chunk, ...chunk, ...chunk, 'scatter-loss-rows']);
  });

  it('makes no gradient where none is wanted', () => {
    expect(encoded(9, false)).toEqual([...forward, ...forward]);
  });
});

describe('defaultChunkRows', () => {
  const rows = (vocab: number, width: number, capacity: number, maxBindingBytes = limits.maxBindingBytes) => {
    const small = { ...limits, maxBindingBytes };
    return defaultChunkRows(describeWeight('head', 'f32', vocab, width, small), capacity, small);
  };

  it('is at most 64, or 256 for a wide vocabulary, in chunks of about one size', () => {
    expect(rows(2048, 64, 4096)).toBe(64);
    expect(rows(2048, 64, 130)).toBe(48);
    expect(rows(2048, 64, 5)).toBe(5);
    expect(rows(49_152, 64, 4096)).toBe(256);
    expect(rows(49_152, 64, 300)).toBe(152);
  });

  it('keeps the logits in 64 MiB', () => {
    expect(rows(151_936, 64, 4096)).toBe(104);
  });

  it('keeps logits and hidden states inside a binding', () => {
    expect(rows(1031, 64, 100, 65536)).toBe(8);
    expect(rows(4096, 64, 100, 65536)).toBe(4);
    expect(rows(96, 252, 200, 65536)).toBe(40);
    expect(rows(20_000, 64, 100, 65536)).toBe(1);
  });
});
