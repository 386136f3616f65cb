/** The naive float64 reference of an RMS norm, both directions. */

const at = (values: ArrayLike<number>, i: number) => values[i];

function rstdOf(x: ArrayLike<number>, row: number, width: number, epsilon: number): number {
  let squares = 0;
  for (let i = 0; i < width; i++) squares += at(x, row * width + i) ** 2;
  return 1 / Math.sqrt(squares / width + epsilon);
}

/** y [rows, width] of x [rows, width] and weight [width], all flat. */
export function rmsnormReference(x: ArrayLike<number>, weight: ArrayLike<number>, epsilon: number): Float64Array {
  const width = weight.length;
  const rows = Array.from({ length: x.length / width }, (_, row) => rstdOf(x, row, width, epsilon));
  return Float64Array.from({ length: x.length }, (_, i) => at(x, i) * at(rows, Math.floor(i / width)) * at(weight, i % width));
}

/** dx [rows, width] for dy [rows, width]. */
export function rmsnormGradientReference(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  epsilon: number,
  dy: ArrayLike<number>,
): Float64Array {
  const width = weight.length;
  const dx = new Float64Array(x.length);
  for (let row = 0; row < x.length / width; row++) {
    const rstd = rstdOf(x, row, width, epsilon);
    let mean = 0;
    for (let i = 0; i < width; i++) mean += (at(dy, row * width + i) * at(weight, i) * at(x, row * width + i)) / width;
    for (let i = 0; i < width; i++) {
      const n = row * width + i;
      dx[n] = rstd * (at(dy, n) * at(weight, i) - at(x, n) * rstd ** 2 * mean);
    }
  }
  return dx;
}
