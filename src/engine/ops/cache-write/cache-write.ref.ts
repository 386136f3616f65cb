/** The naive reference of writing rows into a cache. */

/** The flat cache [cacheRows, width] after cache[rows[i]] = x[i] for each row inside it. */
export function cacheWriteReference(x: ArrayLike<number>, rows: ArrayLike<number>, cache: ArrayLike<number>, width: number): Float64Array {
  const after = Float64Array.from(cache);
  for (let i = 0; i < rows.length; i++) {
    if (rows[i] >= cache.length / width) continue;
    for (let j = 0; j < width; j++) after[rows[i] * width + j] = x[i * width + j];
  }
  return after;
}
