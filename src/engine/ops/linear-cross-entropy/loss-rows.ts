/** Between tokens and loss rows: gathers the hidden states that predict, scatters their gradient back. Knows no loss. */
import { ceilDivide, defineKernel, linearGrid, type Params } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, type View, rowsOf } from '#engine/graph/tensor.ts';
import type { BatchTensors } from '#engine/ops/batch/batch-layout.ts';
import gatherSource from '#engine/ops/linear-cross-entropy/gather-loss-rows.wgsl?raw';
import type { Chunk } from '#engine/ops/linear-cross-entropy/row-statistics.ts';
import scatterSource from '#engine/ops/linear-cross-entropy/scatter-loss-rows.wgsl?raw';

const vectorGrid = (vectors: number) => linearGrid(ceilDivide(vectors, 64));

const gather = defineKernel({
  name: 'gather-loss-rows',
  source: gatherSource,
  writes: ['out'],
  grid: ({ rows = 0, width4 = 0 }: Params) => vectorGrid(rows * width4),
});
const scatter = defineKernel({
  name: 'scatter-loss-rows',
  source: scatterSource,
  writes: ['out'],
  grid: ({ tokens = 0, width4 = 0 }: Params) => vectorGrid(tokens * width4),
});

/** Rows `[start, end)` of a tensor in the smallest binding that is aligned; `skip` rows of it come before `start`. */
export function alignedRows(r: Recorder, tensor: Tensor, { start, end }: Chunk): { view: View; skip: number } {
  const rowBytes = tensor.sizeBytes / tensor.shape[0];
  let first = start;
  while ((first * rowBytes) % r.limits.offsetAlignment !== 0) first--;
  return { view: rowsOf(tensor, first, end), skip: start - first };
}

/** out [rows, width] = the hidden states [tokens, width] that make the chunk's loss rows. */
export function gatherLossRows(r: Recorder, hidden: Tensor, lossRows: Tensor, out: Tensor, { start, end }: Chunk): void {
  const [tokens = 0, width = 0] = hidden.shape;
  for (const [tokenStart, tokenEnd] of r.rowBlocks(tokens, width * 4)) {
    r.run(
      gather,
      { hidden: rowsOf(hidden, tokenStart, tokenEnd), out, lossRows },
      { width4: width / 4, rows: end - start, rowStart: start, tokens: tokenEnd - tokenStart, tokenStart },
      { minLossRows: start, work: (end - start) * width },
    );
  }
}

/** out [tokens, width]: the gradient of each token's hidden state from rowGradients [capacity, width]; zero for a token without a loss row. */
export function scatterLossRows(r: Recorder, rowGradients: Tensor, batch: Pick<BatchTensors, 'lossRowOf'>, out: Tensor): void {
  const [tokens = 0, width = 0] = out.shape;
  for (const [tokenStart, tokenEnd] of r.rowBlocks(tokens, width * 4)) {
    for (const [rowStart, rowEnd] of r.rowBlocks(rowGradients.shape[0], width * 4)) {
      r.run(
        scatter,
        {
          rowGradients: rowsOf(rowGradients, rowStart, rowEnd),
          out: rowsOf(out, tokenStart, tokenEnd),
          lossRowOf: batch.lossRowOf,
        },
        { width4: width / 4, rows: rowEnd - rowStart, rowStart, tokens: tokenEnd - tokenStart, tokenStart },
      );
    }
  }
}
