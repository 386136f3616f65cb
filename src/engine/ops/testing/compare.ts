/** Comparisons for tests: kernels with references, references with central differences. */
import { AppError, invariant } from '#base/errors.ts';
import { Random } from '#base/random.ts';

/** Seeded normal values, rounded to f32, scaled. */
export function randomValues(count: number, seed: number, scale = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal() * scale);
}

/** Frobenius norm of the difference, relative to that of `expected`. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  invariant(actual.length === expected.length, `${actual.length} values against ${expected.length}`);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i];
    const e = expected[i];
    if (!Number.isFinite(a)) return Infinity;
    difference += (a - e) ** 2;
    size += e ** 2;
  }
  return Math.sqrt(difference / Math.max(size, 1e-30));
}

export function maxDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  invariant(actual.length === expected.length, `${actual.length} values against ${expected.length}`);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Infinity : difference;
  }
  return largest;
}

/** @throws AppError naming the tensor, the first differing element and both values, when the relative error is above the bound. */
export function assertClose(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  const error = relativeError(actual, expected);
  if (error <= bound) return;
  const scale = Math.sqrt(Array.from(expected).reduce((sum, e) => sum + e * e, 0) / expected.length);
  const at = Array.from(expected).findIndex((e, i) => !(Math.abs(actual[i] - e) <= bound * Math.max(scale, Math.abs(e))));
  throw new AppError(
    'internal',
    `${name}: relative error ${error.toExponential(2)}, at most ${bound} was expected; [${at}] is ${actual[at]}, not ${expected[at]}`,
  );
}

/**
 * Holds an analytic gradient to central differences, all in float64: for the scalar sum(weights * f(x)).
 * @throws AppError naming the input and element when a difference is above 1e-6 relative to the gradient's size.
 */
export function assertGradient(
  name: string,
  f: (x: Float64Array) => Float64Array,
  x: Float64Array,
  weights: Float64Array,
  gradient: Float64Array,
  bound = 1e-6,
): void {
  const h = 1e-5;
  const value = (at: Float64Array) => f(at).reduce((sum, y, i) => sum + y * weights[i], 0);
  const size = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0) / gradient.length);
  for (let i = 0; i < x.length; i++) {
    const up = x.slice();
    const down = x.slice();
    up[i] = x[i] + h;
    down[i] = x[i] - h;
    const expected = (value(up) - value(down)) / (2 * h);
    const found = gradient[i];
    if (!(Math.abs(found - expected) <= bound * Math.max(1, size, Math.abs(expected)))) {
      throw new AppError('internal', `${name}[${i}]: gradient ${found}, central difference ${expected}`);
    }
  }
}
