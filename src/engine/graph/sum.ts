/** Sums of tensors: gradients that arrive from several users of one tensor, and the residual stream. */
import { invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import addSource from '#engine/graph/add.wgsl?raw';
import addIntoSource from '#engine/graph/add-into.wgsl?raw';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf } from '#engine/graph/tensor.ts';

const grid = ({ vectors }: { vectors?: number }) => linearGrid(ceilDivide(vectors ?? 0, 64));
const add = defineKernel({ name: 'add', source: addSource, writes: ['out'], grid });
const addIntoKernel = defineKernel({ name: 'add-into', source: addIntoSource, writes: ['out'], grid });

function blocks(r: Recorder, out: Tensor): [number, number, number][] {
  const rows = out.shape[0];
  const rowBytes = out.sizeBytes / rows;
  invariant(rowBytes % 16 === 0, `${out.name}: rows of ${rowBytes} bytes are not whole vectors of four`);
  return r.rowBlocks(rows, rowBytes).map(([start, end]) => [start, end, ((end - start) * rowBytes) / 16]);
}

/** out = a + b, all of one shape. */
export function sum(r: Recorder, out: Tensor, a: Tensor, b: Tensor): void {
  invariant(a !== b, `${a.name} is summed with itself: a kernel may not bind one range twice`);
  for (const [start, end, vectors] of blocks(r, out)) {
    r.run(add, { a: rowsOf(a, start, end), b: rowsOf(b, start, end), out: rowsOf(out, start, end) }, { vectors });
  }
}

/** out = out + b. */
export function addInto(r: Recorder, out: Tensor, b: Tensor): void {
  invariant(out !== b, `${b.name} is added to itself: a kernel may not bind one range twice`);
  for (const [start, end, vectors] of blocks(r, out)) {
    r.run(addIntoKernel, { b: rowsOf(b, start, end), out: rowsOf(out, start, end) }, { vectors });
  }
}
