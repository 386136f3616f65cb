/** The naive float64 reference of the gradient's norm and of the factor that clips it. */

export interface Clip {
  norm: number;
  factor: number;
  finite: boolean;
}

export function clipReference(gradients: ArrayLike<number>, maxNorm: number): Clip {
  let sum = 0;
  for (let i = 0; i < gradients.length; i++) sum += gradients[i] ** 2;
  const norm = Math.sqrt(sum);
  if (!Number.isFinite(norm)) return { norm: Infinity, factor: 0, finite: false };
  return { norm, factor: maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1, finite: true };
}
