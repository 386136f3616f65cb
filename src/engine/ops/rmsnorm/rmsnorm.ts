/** RMS norm over the last axis, of hidden states or of heads. Knows no layer. */
import { invariant } from '#base/errors.ts';
import { type Grid, type Kernel, type KernelDescription, ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Gradient, Recorder } from '#engine/graph/recorder.ts';
import { addInto } from '#engine/graph/sum.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import noPriorSource from '#engine/ops/rmsnorm/no-prior.wgsl?raw';
import priorSource from '#engine/ops/rmsnorm/prior.wgsl?raw';
import backwardSource from '#engine/ops/rmsnorm/rmsnorm-backward.wgsl?raw';
import forwardSource from '#engine/ops/rmsnorm/rmsnorm.wgsl?raw';

const grid: KernelDescription['grid'] = ({ rows = 0 }, { groupRows = 1 }): Grid => linearGrid(ceilDivide(rows, groupRows));
const forwardKernel = defineKernel({ name: 'rmsnorm', source: forwardSource, writes: ['out', 'rstd'], grid });
const backwardKernel = defineKernel({ name: 'rmsnorm-backward', include: [noPriorSource], source: backwardSource, writes: ['dx'], grid });
const backwardPriorKernel = defineKernel({
  name: 'rmsnorm-backward-prior',
  include: [priorSource],
  source: backwardSource,
  writes: ['dx'],
  grid,
});

/** Wide rows belong to models that only a GPU trains: there, lanes that write side by side are worth their repeated sums. */
function lanesFor(width: number): { lanes: number; groupRows: number } {
  return width >= 1024 ? { lanes: 8, groupRows: 8 } : { lanes: 1, groupRows: 16 };
}

/**
 * y = x / sqrt(mean(x^2) + epsilon) * weight over the last axis.
 * x, y [rows, width] f32; weight [width] f32, frozen; saves rstd [rows]. Rows are tokens, or tokens x heads for a norm of heads.
 * dx = rstd * (dy * weight - x * rstd^2 * mean(dy * weight * x)), added to what had arrived before in the same pass.
 * @throws AppError `internal` when the widths differ or the weight is trainable.
 * @source https://arxiv.org/abs/1910.07467; transformers' LlamaRMSNorm
 */
export function rmsnorm(r: Recorder, x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const [rows = 0, width = 0] = x.shape;
  invariant(x.shape.length === 2 && width % 4 === 0, `rmsnorm: x is ${shapeText(x.shape)}, [rows, a multiple of 4] was expected`);
  invariant(
    weight.shape.length === 1 && weight.shape[0] === width,
    `rmsnorm: ${weight.name} is ${shapeText(weight.shape)}, not [${width}]`,
  );
  invariant(weight.gradient === null, `rmsnorm: ${weight.name} is trainable, a frozen weight was expected`);
  const y = r.tensor('y', x.shape);
  const rstd = r.tensor('rstd', [rows]);
  const options = { overrides: lanesFor(width) };
  const blocks = r.rowBlocks(rows, width * 4);
  for (const [start, end] of blocks) {
    const params = { rows: end - start, width4: width / 4, rowStart: start, epsilon };
    r.run(forwardKernel, { x: rowsOf(x, start, end), weight, out: rowsOf(y, start, end), rstd }, params, options);
  }
  r.differentiable([y], [x], () => {
    const dy = r.gradientOf(y);
    invariant(dy, `rmsnorm: no gradient of ${y.name} arrived`);
    r.addGradient(x, (prior): Gradient => {
      const dx = r.tensor('x.gradient', x.shape);
      // The residual stream may have handed dy itself on to x: one range cannot be bound twice, so that is added afterwards.
      const folded = prior && prior.tensor !== dy ? prior.tensor : null;
      const kernel: Kernel = folded ? backwardPriorKernel : backwardKernel;
      for (const [start, end] of blocks) {
        const rowsHere = { x: rowsOf(x, start, end), dy: rowsOf(dy, start, end), dx: rowsOf(dx, start, end) };
        const params = { rows: end - start, width4: width / 4, rowStart: start };
        r.run(kernel, { ...rowsHere, weight, rstd, ...(folded ? { prior: rowsOf(folded, start, end) } : {}) }, params, options);
      }
      if (prior && !folded) addInto(r, dx, prior.tensor);
      return { tensor: dx, owned: true };
    });
  });
  return y;
}
