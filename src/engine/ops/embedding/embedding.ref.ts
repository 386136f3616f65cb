/** The naive reference of an embedding: rows of a table, zeros for an id past its end. */

/** [tokens, width] of a flat table [vocabulary, width]. */
export function embeddingReference(tokens: ArrayLike<number>, table: ArrayLike<number>, width: number): Float64Array {
  const vocabulary = table.length / width;
  return Float64Array.from({ length: tokens.length * width }, (_, i) => {
    const id = tokens[Math.floor(i / width)];
    return id < vocabulary ? table[id * width + (i % width)] : 0;
  });
}
