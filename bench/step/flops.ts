/** Counts the floating-point operations that the step's products need, two to a multiply-add. Knows the shape alone. */
import { SHAPE, linearsOf } from './case.ts';

/** Operations by kind. What an engine computes beside these (padding, recomputation, norms, softmax) earns nothing. */
export interface StepFlops {
  /** x W^T of every linear. */
  forward: number;
  /** dy W of every linear whose input leads to a parameter: not q, k and v of the first layer, which read the frozen embedding. */
  inputGradients: number;
  /** x A^T and (x A^T) B^T; dy B, dA, dB, and (dy B) A where the input wants a gradient. */
  lora: number;
  /** Logits of the loss rows, and the gradient of their hidden states. */
  head: number;
  total: number;
  /** QK^T, PV, and dV, dP, dQ, dK over the causal pairs: stated, and not part of the total. */
  attention: number;
}

export function countFlops(): StepFlops {
  const { layers, hidden, heads, headSize, vocab, rank, rows, rowTokens } = SHAPE;
  const tokens = rows * rowTokens;
  const product = (m: number, n: number, k: number) => 2 * m * n * k;
  let forward = 0;
  let inputGradients = 0;
  let lora = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (const { module, inputs, outputs } of linearsOf(layer)) {
      const wantsInputGradient = layer > 0 || !/\.[qkv]_proj$/.test(module);
      forward += product(tokens, outputs, inputs);
      lora += 3 * product(tokens, outputs, rank) + 2 * product(tokens, inputs, rank);
      if (!wantsInputGradient) continue;
      inputGradients += product(tokens, outputs, inputs);
      lora += product(tokens, inputs, rank);
    }
  }
  const lossRows = rows * (rowTokens - 1);
  const head = 2 * product(lossRows, vocab, hidden);
  const causalPairs = (rows * rowTokens * (rowTokens + 1)) / 2;
  const attention = layers * 6 * 2 * causalPairs * heads * headSize;
  return { forward, inputGradients, lora, head, total: forward + inputGradients + lora + head, attention };
}
