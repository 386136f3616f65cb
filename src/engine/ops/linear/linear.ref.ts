/** The naive float64 reference of a linear with LoRA, both directions. */

export interface LinearShape {
  tokens: number;
  width: number;
  out: number;
  rank: number;
  scale: number;
}

/** x [tokens, width], w [out, width], a [rank, width], b [out, rank], mask [tokens, width] (1 without dropout), bias [out], all flat. */
export interface LinearInputs {
  x: ArrayLike<number>;
  w: ArrayLike<number>;
  a: ArrayLike<number>;
  b: ArrayLike<number>;
  mask: ArrayLike<number>;
  bias?: ArrayLike<number>;
}

const at = (values: ArrayLike<number>, i: number) => values[i];

/** y [tokens, out] = x W^T + bias + scale (mask x A^T) B^T. */
export function linearReference(s: LinearShape, i: LinearInputs): Float64Array {
  const y = new Float64Array(s.tokens * s.out);
  const low = lowReference(s, i);
  for (let n = 0; n < s.tokens; n++) {
    for (let o = 0; o < s.out; o++) {
      let sum = i.bias ? at(i.bias, o) : 0;
      for (let k = 0; k < s.width; k++) sum += at(i.x, n * s.width + k) * at(i.w, o * s.width + k);
      for (let r = 0; r < s.rank; r++) sum += s.scale * at(low, n * s.rank + r) * at(i.b, o * s.rank + r);
      y[n * s.out + o] = sum;
    }
  }
  return y;
}

function lowReference(s: LinearShape, i: LinearInputs): Float64Array {
  const low = new Float64Array(s.tokens * s.rank);
  for (let n = 0; n < s.tokens; n++) {
    for (let r = 0; r < s.rank; r++) {
      for (let k = 0; k < s.width; k++) {
        low[n * s.rank + r] = at(low, n * s.rank + r) + at(i.mask, n * s.width + k) * at(i.x, n * s.width + k) * at(i.a, r * s.width + k);
      }
    }
  }
  return low;
}

/** Gradients of x, a and b for dy [tokens, out]. */
export function linearGradientReference(s: LinearShape, i: LinearInputs, dy: ArrayLike<number>) {
  const low = lowReference(s, i);
  const dx = new Float64Array(s.tokens * s.width);
  const da = new Float64Array(s.rank * s.width);
  const db = new Float64Array(s.out * s.rank);
  for (let n = 0; n < s.tokens; n++) {
    for (let o = 0; o < s.out; o++) {
      const g = at(dy, n * s.out + o);
      for (let k = 0; k < s.width; k++) dx[n * s.width + k] = at(dx, n * s.width + k) + g * at(i.w, o * s.width + k);
      for (let r = 0; r < s.rank; r++) {
        db[o * s.rank + r] = at(db, o * s.rank + r) + s.scale * g * at(low, n * s.rank + r);
        const gLow = s.scale * g * at(i.b, o * s.rank + r);
        for (let k = 0; k < s.width; k++) {
          const masked = at(i.mask, n * s.width + k);
          da[r * s.width + k] = at(da, r * s.width + k) + gLow * masked * at(i.x, n * s.width + k);
          dx[n * s.width + k] = at(dx, n * s.width + k) + gLow * masked * at(i.a, r * s.width + k);
        }
      }
    }
  }
  return { dx, da, db };
}
