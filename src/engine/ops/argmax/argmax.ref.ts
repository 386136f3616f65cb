/** The naive reference of arg-max by row. */

/** The lowest column that holds the largest of the first `columns` values, for each row of `values` [rows, stride]. */
export function argmaxReference(values: ArrayLike<number>, rows: number, stride: number, columns: number): number[] {
  return Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let j = 1; j < columns; j++) if (values[row * stride + j] > values[row * stride + best]) best = j;
    return best;
  });
}
