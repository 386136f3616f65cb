/** Turns a chunk's logits into the gradient of the loss with respect to them. Knows nothing of where they came from. */
import { ceilDivide, defineKernel } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor } from '#engine/graph/tensor.ts';
import header from '#engine/ops/batch/header.wgsl?raw';
import type { BatchTensors } from '#engine/ops/batch/batch-layout.ts';
import source from '#engine/ops/linear-cross-entropy/logits-gradient.wgsl?raw';
import type { Chunk } from '#engine/ops/linear-cross-entropy/row-statistics.ts';

const VECTORS_A_LANE = 8;

const kernel = defineKernel({
  name: 'logits-gradient',
  include: [header],
  source,
  writes: ['logits'],
  overrides: { lanes: 64 },
  grid: ({ stride4 = 0, rows = 0 }, { lanes = 1 }) => [ceilDivide(stride4, lanes * VECTORS_A_LANE), rows, 1],
});

/**
 * In place, for the chunk's rows of `logits` [rows, stride]: the gradient of sum_i weights_i loss_i x header.inverseLossTokens.
 * `weights` [capacity] f32 lies in a read-only binding, apart from the arena: the batch's own, or a region that a custom loss has filled.
 */
export function logitsGradient(
  r: Recorder,
  logits: Tensor,
  vocab: number,
  normalizers: Tensor,
  batch: Pick<BatchTensors, 'targets' | 'header'>,
  weights: Tensor,
  { start, end }: Chunk,
): void {
  const stride = logits.shape[1];
  const rows = end - start;
  r.run(
    kernel,
    { logits, normalizers, targets: batch.targets, weights, header: batch.header },
    { vocab, stride4: stride / 4, rows, rowStart: start },
    { work: 8 * rows * vocab, minLossRows: start },
  );
}
