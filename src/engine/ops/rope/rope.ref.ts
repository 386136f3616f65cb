/** The naive float64 reference of a rotary embedding; its gradient is the rotation by the negative angles. */

/** x [tokens, heads * headSize], table [positions, headSize / 2, 2], all flat; sign 1 turns forward, -1 back. */
export function ropeReference(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  table: ArrayLike<number>,
  headSize: number,
  sign: 1 | -1 = 1,
): Float64Array {
  const half = headSize / 2;
  const width = x.length / positions.length;
  return Float64Array.from({ length: x.length }, (_, i) => {
    const e = (i % width) % headSize;
    const at = (positions[Math.floor(i / width)] * half + (e % half)) * 2;
    const other = e < half ? -x[i + half] : x[i - half];
    return x[i] * table[at] + sign * other * table[at + 1];
  });
}
