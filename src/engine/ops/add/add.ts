/** The residual sum of two activations. Knows no layer. */
import { invariant } from '#base/errors.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { sum } from '#engine/graph/sum.ts';
import { type Tensor, shapeText } from '#engine/graph/tensor.ts';

/**
 * out = x + y, all [rows, width] f32. The gradient of out is handed on to both as it is.
 * @throws AppError `internal` when the shapes differ or both are one tensor.
 */
export function add(r: Recorder, x: Tensor, y: Tensor): Tensor {
  invariant(shapeText(x.shape) === shapeText(y.shape), `add: ${shapeText(x.shape)} and ${shapeText(y.shape)} differ`);
  invariant(x !== y, `add: ${x.name} is given twice, and one range cannot be bound twice`);
  const out = r.tensor('sum', x.shape);
  sum(r, out, x, y);
  r.differentiable([out], [x, y], () => {
    const gradient = r.gradientOf(out);
    invariant(gradient, `add: no gradient of ${out.name} arrived`);
    r.contribute(x, { tensor: gradient, owned: false });
    r.contribute(y, { tensor: gradient, owned: false });
  });
  return out;
}
