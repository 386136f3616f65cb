/** Loss, correctness and softmax normaliser of rows of logits. Knows nothing of where the logits came from. */
import { defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor } from '#engine/graph/tensor.ts';
import header from '#engine/ops/batch/header.wgsl?raw';
import type { BatchTensors } from '#engine/ops/batch/batch-layout.ts';
import source from '#engine/ops/linear-cross-entropy/row-statistics.wgsl?raw';

const kernel = defineKernel({
  name: 'row-statistics',
  include: [header],
  source,
  writes: ['normalizers', 'losses', 'correct'],
  grid: ({ rows = 0 }) => linearGrid(rows),
});

/** Columns from which a row keeps 64 lanes busy. With fewer, adapters that run on a CPU take longer to start lanes than to read the row. */
const WIDE_ROW = 8192;

export interface RowStatistics {
  /** [rows, 2]: the row's maximum, and the sum of exponentials relative to it. */
  normalizers: Tensor;
  /** [capacity] in nats. */
  losses: Tensor;
  /** [capacity]: 1 where the arg-max is the target, else 0. */
  correct: Tensor;
}

/** A chunk of loss rows: the batch's rows `[start, end)`, of which the chunk's scratch holds row `start` first. */
export interface Chunk {
  start: number;
  end: number;
}

/** Statistics of the chunk's rows of `logits` [rows, stride], of whose columns the first `vocab` count. */
export function rowStatistics(
  r: Recorder,
  logits: Tensor,
  vocab: number,
  batch: Pick<BatchTensors, 'targets' | 'header'>,
  into: RowStatistics,
  { start, end }: Chunk,
): void {
  const stride = logits.shape[1];
  const rows = end - start;
  r.run(
    kernel,
    { logits, ...into, targets: batch.targets, header: batch.header },
    { vocab, stride4: stride / 4, rows, rowStart: start },
    { overrides: { lanes: stride < WIDE_ROW ? 8 : 64 }, work: 8 * rows * vocab, minLossRows: start },
  );
}
