/** Hidden states times the head: logits, whole for generation, a chunk at a time for the loss. */
import { invariant } from '#base/errors.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, type View, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import { recordProduct } from '#engine/ops/matmul/matmul.ts';
import { type WeightMatrix, weightBindings } from '#engine/ops/weights/weight-matrix.ts';

/** Elements from one row of logits to the next: the vocabulary in whole vectors of four. */
export function logitsStride(head: WeightMatrix): number {
  return Math.ceil(head.rows / 4) * 4;
}

/**
 * logits [rows, stride] = hidden [rows, width] head^T, all shards. Columns past the vocabulary are left with values that mean nothing.
 * Not differentiable: the loss makes its own gradient.
 */
export function recordLogits(r: Recorder, hidden: View, head: WeightMatrix, logits: View, rows: number, minLossRows = -1): void {
  for (const shard of head.shards) {
    recordProduct(r, {
      variant: { form: 'nt', weight: head.type, tail: false, dropout: false, gradient: false },
      bindings: { a: hidden, out: logits, ...weightBindings(head, shard) },
      rows,
      columns: shard.end - shard.start,
      inner: head.columns,
      aStride: head.columns,
      outStride: logitsStride(head),
      outOffset: shard.start,
      minLossRows,
    });
  }
}

/** Logits [rows, stride] of hidden states [rows, width]: for generation, no gradient. Columns past the vocabulary mean nothing. */
export function project(r: Recorder, hidden: Tensor, head: WeightMatrix): Tensor {
  const [rows = 0, width = 0] = hidden.shape;
  invariant(width === head.columns, `${head.name}: hidden states ${shapeText(hidden.shape)} do not end in ${head.columns}`);
  const stride = logitsStride(head);
  const logits = r.tensor('logits', [rows, stride]);
  for (const [start, end] of r.rowBlocks(rows, width * 4, stride * 4)) {
    recordLogits(r, rowsOf(hidden, start, end), head, rowsOf(logits, start, end), end - start);
  }
  return logits;
}
