/** The naive float64 reference of silu(gate) * up, both directions. */

const sigmoid = (g: number) => 1 / (1 + Math.exp(-g));

export function siluMulReference(gate: ArrayLike<number>, up: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: gate.length }, (_, i) => gate[i] * sigmoid(gate[i]) * up[i]);
}

export function siluMulGradientReference(gate: ArrayLike<number>, up: ArrayLike<number>, dOut: ArrayLike<number>) {
  const dGate = Float64Array.from({ length: gate.length }, (_, i) => {
    const s = sigmoid(gate[i]);
    return dOut[i] * up[i] * s * (1 + gate[i] * (1 - s));
  });
  const dUp = Float64Array.from({ length: gate.length }, (_, i) => dOut[i] * gate[i] * sigmoid(gate[i]));
  return { dGate, dUp };
}
