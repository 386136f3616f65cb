/** The naive float64 reference of a sum; its gradient is dout for both. */

export function addReference(x: ArrayLike<number>, y: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: x.length }, (_, i) => x[i] + y[i]);
}
