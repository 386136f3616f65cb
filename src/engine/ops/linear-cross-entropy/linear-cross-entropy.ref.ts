/** The naive float64 reference of linear + cross-entropy: loss, correctness and the gradient of the hidden states. */

export interface LossShape {
  tokens: number;
  width: number;
  vocab: number;
}

/** hidden [tokens, width], head [vocab, width], and one entry a loss row: token, target, weight. Flat. */
export interface LossInputs {
  hidden: ArrayLike<number>;
  head: ArrayLike<number>;
  lossRows: ArrayLike<number>;
  targets: ArrayLike<number>;
  lossWeights: ArrayLike<number>;
  inverseLossTokens: number;
}

/** Logits [loss rows, vocab]. */
export function logitsReference(s: LossShape, i: LossInputs): Float64Array {
  const logits = new Float64Array(i.lossRows.length * s.vocab);
  for (let row = 0; row < i.lossRows.length; row++) {
    for (let j = 0; j < s.vocab; j++) {
      let sum = 0;
      for (let k = 0; k < s.width; k++) sum += i.hidden[i.lossRows[row] * s.width + k] * i.head[j * s.width + k];
      logits[row * s.vocab + j] = sum;
    }
  }
  return logits;
}

/** A row's softmax, its log-sum-exp, and its arg-max (the lowest index on ties). */
function softmax(logits: Float64Array): { probabilities: Float64Array; logSumExp: number; argMax: number } {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = logits.reduce((total, l) => total + Math.exp(l - top), 0);
  return { probabilities: logits.map((l) => Math.exp(l - top) / sum), logSumExp: top + Math.log(sum), argMax: logits.indexOf(top) };
}

/** losses and correct, one entry a loss row. */
export function lossReference(s: LossShape, i: LossInputs): { losses: Float64Array; correct: Float64Array } {
  const logits = logitsReference(s, i);
  const losses = new Float64Array(i.lossRows.length);
  const correct = new Float64Array(i.lossRows.length);
  for (let row = 0; row < i.lossRows.length; row++) {
    const l = logits.subarray(row * s.vocab, (row + 1) * s.vocab);
    const { logSumExp, argMax } = softmax(l);
    losses[row] = logSumExp - l[i.targets[row]];
    correct[row] = argMax === i.targets[row] ? 1 : 0;
  }
  return { losses, correct };
}

/** Gradient [tokens, width] of sum_i weight_i loss_i x inverseLossTokens with respect to hidden. */
export function lossGradientReference(s: LossShape, i: LossInputs): Float64Array {
  const logits = logitsReference(s, i);
  const gradient = new Float64Array(s.tokens * s.width);
  for (let row = 0; row < i.lossRows.length; row++) {
    const { probabilities } = softmax(logits.subarray(row * s.vocab, (row + 1) * s.vocab));
    for (let j = 0; j < s.vocab; j++) {
      const isTarget = j === i.targets[row] ? 1 : 0;
      const g = (probabilities[j] - isTarget) * i.lossWeights[row] * i.inverseLossTokens;
      for (let k = 0; k < s.width; k++) {
        gradient[i.lossRows[row] * s.width + k] += g * i.head[j * s.width + k];
      }
    }
  }
  return gradient;
}
