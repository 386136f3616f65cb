/** The naive float64 reference of grouped-query attention over ranges of keys, both directions. */

export interface AttentionReferenceShape {
  heads: number;
  kvHeads: number;
  headSize: number;
  scale: number;
}

/** q [tokens, heads, headSize], k and v [keys, kvHeads, headSize], start and end [tokens], all flat. */
export interface AttentionInputs {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  start: ArrayLike<number>;
  end: ArrayLike<number>;
}

/** The softmax of query i of a head over the keys of its range. */
function weightsOf(s: AttentionReferenceShape, x: AttentionInputs, i: number, head: number): Float64Array {
  const kvHead = Math.floor(head / (s.heads / s.kvHeads));
  const scores = Float64Array.from({ length: Math.max(0, x.end[i] - x.start[i]) }, (_, n) => {
    const key = x.start[i] + n;
    let dot = 0;
    for (let e = 0; e < s.headSize; e++) {
      dot += x.q[(i * s.heads + head) * s.headSize + e] * x.k[(key * s.kvHeads + kvHead) * s.headSize + e];
    }
    return dot * s.scale;
  });
  const largest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Calls `visit` for every (query, head, key) with its weight and the offsets of q's, and k's and v's vector. */
function eachPair(s: AttentionReferenceShape, x: AttentionInputs, visit: (weight: number, at: number, keyAt: number) => void): void {
  for (let i = 0; i < x.start.length; i++) {
    for (let head = 0; head < s.heads; head++) {
      const kvHead = Math.floor(head / (s.heads / s.kvHeads));
      for (const [n, weight] of weightsOf(s, x, i, head).entries()) {
        visit(weight, (i * s.heads + head) * s.headSize, ((x.start[i] + n) * s.kvHeads + kvHead) * s.headSize);
      }
    }
  }
}

/** out [tokens, heads, headSize]. */
export function attentionReference(s: AttentionReferenceShape, x: AttentionInputs): Float64Array {
  const out = new Float64Array(x.q.length);
  eachPair(s, x, (weight, at, keyAt) => {
    for (let e = 0; e < s.headSize; e++) out[at + e] += weight * x.v[keyAt + e];
  });
  return out;
}

/** Gradients of q, k and v for dOut [tokens, heads, headSize]. */
export function attentionGradientReference(s: AttentionReferenceShape, x: AttentionInputs, dOut: ArrayLike<number>) {
  const out = attentionReference(s, x);
  const dq = new Float64Array(x.q.length);
  const dk = new Float64Array(x.k.length);
  const dv = new Float64Array(x.v.length);
  eachPair(s, x, (weight, at, keyAt) => {
    let dScore = 0;
    for (let e = 0; e < s.headSize; e++) dScore += weight * dOut[at + e] * (x.v[keyAt + e] - out[at + e]);
    for (let e = 0; e < s.headSize; e++) {
      dv[keyAt + e] += weight * dOut[at + e];
      dq[at + e] += s.scale * dScore * x.k[keyAt + e];
      dk[keyAt + e] += s.scale * dScore * x.q[at + e];
    }
  });
  return { dq, dk, dv };
}
