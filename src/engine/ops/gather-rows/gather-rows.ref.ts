/** The naive reference of taking rows by index: zeros for an index past the end. */

/** [rows, width] of a flat x [tokens, width]. */
export function gatherRowsReference(x: ArrayLike<number>, rows: ArrayLike<number>, width: number): Float64Array {
  const tokens = x.length / width;
  return Float64Array.from({ length: rows.length * width }, (_, i) => {
    const row = rows[Math.floor(i / width)];
    return row < tokens ? x[row * width + (i % width)] : 0;
  });
}
