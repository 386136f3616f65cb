/** Some rows of an activation, by index: the last tokens of prompts. Knows no model. */
import { invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import source from '#engine/ops/gather-rows/gather-rows.wgsl?raw';

const kernel = defineKernel({
  name: 'gather-rows',
  source,
  writes: ['out'],
  grid: ({ outRows = 0, width4 = 0 }) => linearGrid(ceilDivide(outRows * width4, 64)),
});

/**
 * out [count, width] f32 = x[rows[i]]; x [tokens, width] f32; rows u32 [at least count]. An index past the end gives zeros.
 * Has no gradient: for generation alone.
 * @throws AppError `internal` when x needs a gradient or there are fewer than `count` indices.
 */
export function gatherRows(r: Recorder, x: Tensor, rows: Tensor, count: number): Tensor {
  const [tokens = 0, width = 0] = x.shape;
  invariant(!x.needsGrad, `gatherRows: ${x.name} needs a gradient, which gatherRows does not have`);
  invariant(width % 4 === 0, `gatherRows: x ${shapeText(x.shape)}, a multiple of 4 columns was expected`);
  invariant(rows.sizeBytes >= count * 4, `gatherRows: ${count} of rows ${shapeText(rows.shape)}`);
  const out = r.tensor('rows', [count, width]);
  for (const [start, end] of r.rowBlocks(count, width * 4)) {
    for (const [xStart, xEnd] of r.rowBlocks(tokens, width * 4)) {
      r.run(
        kernel,
        { x: rowsOf(x, xStart, xEnd), rows, out: rowsOf(out, start, end) },
        { outRows: end - start, width4: width / 4, rowStart: start, xStart, xEnd, xRows: tokens },
      );
    }
  }
  return out;
}
