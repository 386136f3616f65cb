/** Writes keys or values of new tokens into a cache that outlives the step. Knows no attention. */
import { invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import source from '#engine/ops/cache-write/cache-write.wgsl?raw';

const kernel = defineKernel({
  name: 'cache-write',
  source,
  writes: ['cache'],
  grid: ({ xRows = 0, width4 = 0 }) => linearGrid(ceilDivide(xRows * width4, 64)),
});

/**
 * cache[rows[i]] = x[i]; x [tokens, width] f32; rows u32 [at least tokens], each its own, 0xffffffff for a token that is not kept;
 * cache [cacheRows, width] f32, a region. Has no gradient: for generation alone.
 * @throws AppError `internal` when the widths differ, the cache is no region or x needs a gradient.
 */
export function cacheWrite(r: Recorder, x: Tensor, rows: Tensor, cache: Tensor): void {
  const [tokens = 0, width = 0] = x.shape;
  invariant(cache.region, `cacheWrite: ${cache.name} lies in the arena, where nothing outlives a step`);
  invariant(!x.needsGrad, `cacheWrite: ${x.name} needs a gradient, which a cache does not have`);
  invariant(width % 4 === 0 && cache.shape[1] === width, `cacheWrite: x ${shapeText(x.shape)} into a cache ${shapeText(cache.shape)}`);
  invariant(rows.sizeBytes >= tokens * 4, `cacheWrite: ${tokens} tokens with rows ${shapeText(rows.shape)}`);
  for (const [start, end] of r.rowBlocks(tokens, width * 4)) {
    for (const [cacheStart, cacheEnd] of r.rowBlocks(cache.shape[0], width * 4)) {
      r.run(
        kernel,
        { x: rowsOf(x, start, end), rows, cache: rowsOf(cache, cacheStart, cacheEnd) },
        { xRows: end - start, width4: width / 4, rowStart: start, cacheStart, cacheEnd },
      );
    }
  }
}
