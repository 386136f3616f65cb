/** The naive float64 reference of AdamW and of the bias corrections that a step's header carries. */

export interface AdamWSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export interface AdamWState {
  parameters: Float64Array;
  first: Float64Array;
  second: Float64Array;
}

/** One step in place, in the order of torch.optim.AdamW's single-tensor loop; `step` counts from 1. */
export function adamWReference(state: AdamWState, gradient: ArrayLike<number>, step: number, learningRate: number, s: AdamWSettings): void {
  const { parameters, first, second } = state;
  const firstCorrection = 1 - s.beta1 ** step;
  const secondCorrection = 1 - s.beta2 ** step;
  for (let i = 0; i < parameters.length; i++) {
    const g = gradient[i];
    parameters[i] *= 1 - learningRate * s.weightDecay;
    first[i] += (1 - s.beta1) * (g - first[i]);
    second[i] = s.beta2 * second[i] + (1 - s.beta2) * g * g;
    const denominator = Math.sqrt(second[i]) / Math.sqrt(secondCorrection) + s.epsilon;
    parameters[i] -= ((learningRate / firstCorrection) * first[i]) / denominator;
  }
}
