/** AdamW over contiguous parameters. Knows nothing of what they are, nor of schedules: rates come with the step's header. */
import { invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf } from '#engine/graph/tensor.ts';
import source from '#engine/ops/adamw/adamw.wgsl?raw';
import header from '#engine/ops/batch/header.wgsl?raw';

const kernel = defineKernel({
  name: 'adamw',
  include: [header],
  source,
  writes: ['parameters', 'first', 'second'],
  grid: ({ vectors = 0 }) => linearGrid(ceilDivide(vectors, 64)),
});

export interface AdamW {
  /** Parameters, gradients and both moments: f32 of one shape, whole vectors of four. */
  parameters: Tensor;
  gradients: Tensor;
  first: Tensor;
  second: Tensor;
  /** f32 [4] from `recordGradientNorm`. */
  clip: Tensor;
  /** The step's header: learning rate and bias corrections. */
  header: Tensor;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

/**
 * One step, in place; nothing changes where the gradient is not finite.
 * @source https://arxiv.org/abs/1711.05101; torch.optim.AdamW
 */
export function recordAdamW(r: Recorder, step: AdamW): void {
  const { parameters, gradients, first, second, clip } = step;
  const rows = parameters.shape[0];
  const rowBytes = parameters.sizeBytes / rows;
  for (const tensor of [parameters, gradients, first, second]) {
    invariant(tensor.sizeBytes === parameters.sizeBytes && tensor.shape[0] === rows, `${tensor.name} is not of the parameters' shape`);
  }
  invariant(parameters.sizeBytes % 16 === 0, `${parameters.name}: ${parameters.sizeBytes} bytes are not whole vectors of four`);
  for (const [start, end] of r.rowBlocks(rows, rowBytes)) {
    r.run(
      kernel,
      {
        parameters: rowsOf(parameters, start, end),
        gradients: rowsOf(gradients, start, end),
        first: rowsOf(first, start, end),
        second: rowsOf(second, start, end),
        clip,
        header: step.header,
      },
      {
        vectors: ((end - start) * rowBytes) / 16,
        firstRate: 1 - step.beta1,
        secondRate: 1 - step.beta2,
        epsilon: step.epsilon,
        weightDecay: step.weightDecay,
      },
    );
  }
}
