/** The output matrix and the cross-entropy in one op, over chunks of loss rows: the logits never exist whole. Knows no model. */
import { invariant } from '#base/errors.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import { defineKernel } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import type { BatchTensors } from '#engine/ops/batch/batch-layout.ts';
import header from '#engine/ops/batch/header.wgsl?raw';
import { logitsGradient } from '#engine/ops/linear-cross-entropy/logits-gradient.ts';
import { alignedRows, gatherLossRows, scatterLossRows } from '#engine/ops/linear-cross-entropy/loss-rows.ts';
import { logitsStride, recordLogits } from '#engine/ops/project/project.ts';
import reduceSource from '#engine/ops/linear-cross-entropy/reduce-loss.wgsl?raw';
import { type Chunk, rowStatistics } from '#engine/ops/linear-cross-entropy/row-statistics.ts';
import { recordProduct } from '#engine/ops/matmul/matmul.ts';
import { type WeightMatrix, weightBindings } from '#engine/ops/weights/weight-matrix.ts';

export interface LossOptions {
  /** Loss rows whose logits exist at one time. Default: `defaultChunkRows`. */
  chunkRows?: number;
}

export interface Loss {
  /** f32 [capacity]: cross-entropy of loss row i in nats, not weighted. What lies past the batch's loss rows means nothing. */
  losses: Tensor;
  /** f32 [capacity]: 1 where the arg-max of row i is its target (the lowest index on ties), else 0. */
  correct: Tensor;
}

type LossBatch = Pick<BatchTensors, 'lossRows' | 'lossRowOf' | 'targets' | 'lossWeights' | 'header'>;

/**
 * loss_i = log(sum_j exp(l_ij)) - l_i,target with l = hidden[lossRows] head^T; hidden [tokens, width] f32, head [vocab, width] of any type.
 * Where hidden wants a gradient, that of sum_i lossWeights_i loss_i x header.inverseLossTokens is made in the same pass: a chunk's logits become
 * their gradient in place, and their product with the head is the gradient of the chunk's hidden states. The head has no gradient.
 * Chunks past the batch's loss rows are not encoded.
 * @source Liger Kernel, https://arxiv.org/abs/2410.10989; Cut Cross-Entropy, https://arxiv.org/abs/2411.09009
 */
export function linearCrossEntropy(r: Recorder, hidden: Tensor, head: WeightMatrix, batch: LossBatch, options: LossOptions = {}): Loss {
  const [tokens = 0, width = 0] = hidden.shape;
  const capacity = batch.lossRows.shape[0];
  invariant(width === head.columns, `${head.name}: hidden states ${shapeText(hidden.shape)} do not end in ${head.columns}`);
  invariant(tokens === capacity, `hidden states ${shapeText(hidden.shape)} of a batch of ${capacity} tokens`);
  const chunkRows = Math.min(capacity, options.chunkRows ?? defaultChunkRows(head, capacity, r.limits));
  const wantsGradient = hidden.needsGrad;

  const gathered = r.tensor('hidden', [chunkRows, width]);
  const logits = r.tensor('logits', [chunkRows, logitsStride(head)]);
  const normalizers = r.tensor('normalizers', [chunkRows, 2]);
  const losses = r.tensor('losses', [capacity]);
  const correct = r.tensor('correct', [capacity]);
  const rowGradients = wantsGradient ? r.tensor('hidden.gradient.rows', [capacity, width]) : null;

  for (let start = 0; start < capacity; start += chunkRows) {
    const chunk = { start, end: Math.min(capacity, start + chunkRows) };
    const rows = chunk.end - start;
    gatherLossRows(r, hidden, batch.lossRows, gathered, chunk);
    recordLogits(r, rowsOf(gathered, 0, rows), head, rowsOf(logits, 0, rows), rows, start);
    rowStatistics(r, logits, head.rows, batch, { normalizers, losses, correct }, chunk);
    if (!rowGradients) continue;
    logitsGradient(r, logits, head.rows, normalizers, batch, batch.lossWeights, chunk);
    hiddenGradient(r, logits, head, rowGradients, chunk);
  }

  r.root([hidden], () => {
    invariant(rowGradients, 'hidden states want a gradient that the forward pass did not make');
    const gradient = r.tensor('hidden.gradient', [tokens, width]);
    scatterLossRows(r, rowGradients, batch, gradient);
    r.contribute(hidden, { tensor: gradient, owned: true });
  });
  return { losses, correct };
}

/** Rows of rowGradients [capacity, width] = the logits' gradient [rows, stride] times head, over all shards. */
function hiddenGradient(r: Recorder, logits: Tensor, head: WeightMatrix, rowGradients: Tensor, chunk: Chunk): void {
  const rows = chunk.end - chunk.start;
  const width = head.columns;
  const { view, skip } = alignedRows(r, rowGradients, chunk);
  for (const [index, shard] of head.shards.entries()) {
    recordProduct(r, {
      variant: { form: 'nn', weight: head.type, tail: false, dropout: false, gradient: false },
      bindings: { a: rowsOf(logits, 0, rows), out: view, ...weightBindings(head, shard) },
      rows,
      columns: width,
      inner: shard.end - shard.start,
      aStride: logitsStride(head),
      aOffset: shard.start,
      outStride: width,
      outOffset: skip * width,
      accumulate: index > 0,
      minLossRows: chunk.start,
    });
  }
}

const LOGITS_BYTES = 64 * 2 ** 20;
/** A chunk is computed whole for its first loss row: short ones waste little, and from 32 rows on a product is as fast a row as it gets. */
const MOST_ROWS = 64;
/** Where the vocabulary is wide, the hidden states' gradient is a long sum for few results: more rows keep a device busy meanwhile. */
const WIDE = { vocab: 8192, mostRows: 256 };

/** As many rows as a binding and 64 MiB hold, at most 64 (256 for a wide vocabulary), in chunks of about one size, a multiple of 8 where possible. */
export function defaultChunkRows(head: WeightMatrix, capacity: number, limits: GpuLimits): number {
  const floats = Math.min(limits.maxBindingBytes, LOGITS_BYTES) / 4;
  const alignment = limits.offsetAlignment / 4;
  // Rows of the gradient that may come before a chunk's own in its binding.
  const skipped = head.columns % alignment === 0 ? 0 : alignment / 4 - 1;
  const fitting = Math.min(Math.floor(floats / logitsStride(head)), Math.floor(floats / head.columns) - skipped);
  const wanted = Math.max(1, Math.min(fitting, head.rows > WIDE.vocab ? WIDE.mostRows : MOST_ROWS));
  const unit = wanted >= 8 ? 8 : 1;
  const most = Math.floor(wanted / unit) * unit;
  const even = capacity / Math.ceil(capacity / most);
  return Math.min(capacity, Math.ceil(even / unit) * unit);
}

const reduceKernel = defineKernel({
  name: 'reduce-loss',
  include: [header],
  source: reduceSource,
  writes: ['sums'],
  grid: () => [1, 1, 1],
});

/**
 * into [4] f32 = the sums over the batch's loss rows of lossWeights x losses, correct and lossWeights, and the number of rows.
 * Overwritten on a step's first micro-batch (header.microBatch 0), added to on the others. Rows past the batch's count are not read.
 */
export function reduceLoss(
  r: Recorder,
  losses: Tensor,
  correct: Tensor,
  batch: Pick<BatchTensors, 'lossWeights' | 'header'>,
  into: Tensor,
): void {
  invariant(into.sizeBytes === 16, `${into.name}: loss sums of ${into.sizeBytes} bytes`);
  r.run(reduceKernel, { losses, correct, sums: into, weights: batch.lossWeights, header: batch.header }, {});
}
