/** The norm of all gradients at once, the factor that clips them, and whether they are finite. Knows no optimizer. */
import { invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf } from '#engine/graph/tensor.ts';
import clipSource from '#engine/ops/gradient-norm/clip-factor.wgsl?raw';
import squareSource from '#engine/ops/gradient-norm/square-sums.wgsl?raw';

/** Vectors of four that a workgroup sums: STRETCH of square-sums.wgsl. */
const STRETCH = 1024;

const squareSums = defineKernel({
  name: 'square-sums',
  source: squareSource,
  writes: ['partials'],
  grid: ({ vectors = 0 }) => linearGrid(ceilDivide(vectors, STRETCH)),
});
const clipFactor = defineKernel({ name: 'clip-factor', source: clipSource, writes: ['clip'], grid: () => [1, 1, 1] });

/** What `clip` holds, in order. */
export const CLIP = { norm: 0, factor: 1, finite: 2 } as const;

/**
 * clip [4] f32 = (norm, factor, finite flag, 0) of `gradients`, one contiguous tensor whose padding is zero:
 * the Frobenius norm; min(1, maxNorm / (norm + 1e-6)), or 1 where maxNorm <= 0; 1 where every element and the norm's square are finite,
 * else 0, with an infinite norm and a factor of 0.
 * @source torch.nn.utils.clip_grad_norm_
 */
export function recordGradientNorm(r: Recorder, gradients: Tensor, clip: Tensor, maxNorm: number): void {
  const rows = gradients.shape[0];
  const rowBytes = gradients.sizeBytes / rows;
  invariant(gradients.sizeBytes % 16 === 0, `${gradients.name}: ${gradients.sizeBytes} bytes are not whole vectors of four`);
  invariant(clip.sizeBytes === 16, `${clip.name}: ${clip.sizeBytes} bytes`);
  const blocks = r.rowBlocks(rows, rowBytes).map(([start, end]) => ({ start, end, vectors: ((end - start) * rowBytes) / 16 }));
  const count = blocks.reduce((sum, { vectors }) => sum + ceilDivide(vectors, STRETCH), 0);
  const partials = r.tensor('square-sums', [count]);
  let partialStart = 0;
  for (const { start, end, vectors } of blocks) {
    r.run(squareSums, { gradients: rowsOf(gradients, start, end), partials }, { vectors, partialStart });
    partialStart += ceilDivide(vectors, STRETCH);
  }
  r.run(clipFactor, { partials, clip }, { count, maxNorm });
}
