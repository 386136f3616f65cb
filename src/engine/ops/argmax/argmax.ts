/** The place of the largest value of each row, found on the device, so that greedy decoding reads back 4 bytes a row. */
import { invariant } from '#base/errors.ts';
import { defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import source from '#engine/ops/argmax/argmax.wgsl?raw';

const kernel = defineKernel({ name: 'argmax', source, writes: ['out'], grid: ({ rows = 0 }) => linearGrid(rows) });

/** u32 [rows]: the column of the largest of the first `columns` values of each row of `values` [rows, stride]; the lowest on ties. */
export function argmax(r: Recorder, values: Tensor, columns: number): Tensor {
  const [rows, stride] = values.shape;
  invariant(stride % 4 === 0 && columns > 0 && columns <= stride, `${values.name}: ${columns} columns of ${shapeText(values.shape)}`);
  const out = r.tensor('argmax', [rows]);
  for (const [start, end] of r.rowBlocks(rows, stride * 4)) {
    r.run(kernel, { values: rowsOf(values, start, end), out }, { columns, stride4: stride / 4, rows: end - start, rowStart: start });
  }
  return out;
}
