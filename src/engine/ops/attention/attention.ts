/** Grouped-query attention over ranges of keys: causal inside packed segments, or over a cache. Knows no layer. */
import { invariant } from '#base/errors.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import {
  type AttentionVariant,
  MAX_BLOCKED_HEAD_SIZE,
  attentionKernel,
  attentionLanes,
  rowDotKernel,
} from '#engine/ops/attention/attention-kernels.ts';

/** Who attends to whom, u32 [at least tokens] each. */
export interface AttentionRanges {
  /** Query i attends to keys [rangeStart[i], rangeEnd[i]). */
  rangeStart: Tensor;
  rangeEnd: Tensor;
  /**
   * Key j is attended to by queries [j, keyEnd[j]). Given for a packed batch, whose keys are its own tokens; a gradient needs it.
   * Left out for a cache, whose ranges may lie anywhere.
   */
  keyEnd?: Tensor;
}

export interface AttentionShape {
  heads: number;
  /** Divides `heads`: each serves that many of them. */
  kvHeads: number;
  /** A multiple of 4, at most 256. */
  headSize: number;
  /** Multiplies the scores; usually 1 / sqrt(headSize). */
  scale: number;
}

interface Operands extends AttentionShape {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  ranges: AttentionRanges;
  variant: AttentionVariant;
  out: Tensor;
  lse: Tensor;
}

/**
 * out[i, h] = sum_j softmax_j(scale * q[i, h] . k[j, g]) v[j, g] over the keys of query i's range, g = h / (heads / kvHeads).
 * q, out [tokens, heads * headSize] f32; k, v [keys, kvHeads * headSize] f32, activations or a cache's region; an empty range gives zeros.
 * The scores are never stored: an online softmax in f32 saves the log-sum-exp [tokens, heads] alone, from which the gradient makes them again.
 * With w = softmax and D = dOut . out: dv = sum w dOut, dk = scale * sum w (dOut . v - D) q, dq = scale * sum w (dOut . v - D) k.
 * `variant` is chosen from the ranges and the head size unless it is given.
 * @throws AppError `internal` when shapes do not fit or a gradient lacks keyEnd, `gpu/limit` when all keys do not fit one binding.
 * @source https://arxiv.org/abs/2205.14135 (FlashAttention); https://arxiv.org/abs/2305.13245 (grouped queries)
 */
export function attention(
  r: Recorder,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  ranges: AttentionRanges,
  shape: AttentionShape,
  variant: AttentionVariant = ranges.keyEnd && shape.headSize <= MAX_BLOCKED_HEAD_SIZE ? 'blocked' : 'plain',
): Tensor {
  const [tokens = 0] = q.shape;
  checkShapes(q, k, v, ranges, shape);
  const needsGrad = [q, k, v].some((tensor) => tensor.needsGrad);
  invariant(!needsGrad || (ranges.keyEnd && k.shape[0] === tokens), 'attention: a gradient needs keyEnd, and as many keys as queries');
  const out = r.tensor('attention', q.shape);
  const operands: Operands = { ...shape, q, k, v, ranges, variant, out, lse: r.tensor('lse', [tokens, shape.heads]) };
  forward(r, operands);
  r.differentiable([out], [q, k, v], () => {
    const dOut = r.gradientOf(out);
    invariant(dOut, `attention: no gradient of ${out.name} arrived`);
    const stats = rowStats(r, operands, dOut);
    if (q.needsGrad) r.contribute(q, { tensor: queryGradient(r, operands, dOut, stats), owned: true });
    if (!k.needsGrad && !v.needsGrad) return;
    const { dk, dv } = keyValueGradient(r, operands, dOut, stats);
    r.contribute(k, { tensor: dk, owned: true });
    r.contribute(v, { tensor: dv, owned: true });
  });
  return out;
}

function checkShapes(q: Tensor, k: Tensor, v: Tensor, ranges: AttentionRanges, { heads, kvHeads, headSize }: AttentionShape): void {
  const [tokens = 0, width] = q.shape;
  const isHeadSize = headSize % 4 === 0 && headSize > 0 && headSize <= 256;
  invariant(isHeadSize, `attention: heads of ${headSize} were found, a multiple of 4 up to 256 was expected`);
  invariant(heads % kvHeads === 0, `attention: ${heads} heads over ${kvHeads} kv heads`);
  invariant(width === heads * headSize, `attention: q ${shapeText(q.shape)} for ${heads} heads of ${headSize}`);
  const isKeys = k.shape[1] === kvHeads * headSize && shapeText(k.shape) === shapeText(v.shape);
  invariant(isKeys, `attention: k ${shapeText(k.shape)} and v ${shapeText(v.shape)} for ${kvHeads} kv heads of ${headSize}`);
  for (const array of [ranges.rangeStart, ranges.rangeEnd, ...(ranges.keyEnd ? [ranges.keyEnd] : [])]) {
    invariant(array.sizeBytes >= tokens * 4, `attention: ${array.name} ${shapeText(array.shape)} for ${tokens} tokens`);
  }
}

const rowBytes = (tensor: Tensor) => tensor.sizeBytes / tensor.shape[0];

/** Work is counted as if each query saw half of the keys: the ranges are known only when the batch is. */
function pairs(o: Operands, rows: number): number {
  return (rows * o.k.shape[0] * o.heads * o.headSize) / 2;
}

function forward(r: Recorder, o: Operands): void {
  const { q, k, v, out, lse, heads, kvHeads, headSize, scale } = o;
  const [tokens] = q.shape;
  for (const [start, end] of r.rowBlocks(tokens, rowBytes(q))) {
    const rows = end - start;
    const { rangeStart, rangeEnd } = o.ranges;
    r.run(
      attentionKernel('forward', o.variant, headSize),
      { q: rowsOf(q, start, end), k, v, rangeStart, rangeEnd, out: rowsOf(out, start, end), lse },
      { rows, heads, kvHeads, vectors: headSize / 4, rowStart: start, keys: k.shape[0], scale },
      { overrides: attentionLanes(heads), work: 2 * pairs(o, rows) },
    );
  }
}

/** (log-sum-exp, dOut . out) [tokens, heads, 2]: together, so that the kernels that follow bind one buffer less. */
function rowStats(r: Recorder, o: Operands, dOut: Tensor): Tensor {
  const { out, lse, heads, headSize } = o;
  const [tokens] = out.shape;
  const stats = r.tensor('stats', [tokens, heads, 2]);
  for (const [start, end] of r.rowBlocks(tokens, rowBytes(out))) {
    const bindings = { out: rowsOf(out, start, end), dOut: rowsOf(dOut, start, end), lse, stats };
    r.run(rowDotKernel, bindings, { rows: end - start, heads, vectors: headSize / 4, rowStart: start });
  }
  return stats;
}

function queryGradient(r: Recorder, o: Operands, dOut: Tensor, stats: Tensor): Tensor {
  const { q, k, v, heads, kvHeads, headSize, scale } = o;
  const [tokens] = q.shape;
  const dq = r.tensor('q.gradient', q.shape);
  for (const [start, end] of r.rowBlocks(tokens, rowBytes(q))) {
    const rows = end - start;
    const { rangeStart, rangeEnd } = o.ranges;
    const here = { q: rowsOf(q, start, end), dOut: rowsOf(dOut, start, end), dq: rowsOf(dq, start, end) };
    r.run(
      attentionKernel('dq', o.variant, headSize),
      { ...here, k, v, stats, rangeStart, rangeEnd },
      { rows, heads, kvHeads, vectors: headSize / 4, rowStart: start, keys: k.shape[0], scale },
      { overrides: attentionLanes(heads), work: 3 * pairs(o, rows) },
    );
  }
  return dq;
}

function keyValueGradient(r: Recorder, o: Operands, dOut: Tensor, stats: Tensor): { dk: Tensor; dv: Tensor } {
  const { q, k, v, heads, kvHeads, headSize, scale } = o;
  const [tokens] = q.shape;
  const keyEnd = o.ranges.keyEnd as Tensor;
  const dk = r.tensor('k.gradient', k.shape);
  const dv = r.tensor('v.gradient', v.shape);
  for (const [queryStart, queryEnd] of r.rowBlocks(tokens, rowBytes(q))) {
    const here = { q: rowsOf(q, queryStart, queryEnd), dOut: rowsOf(dOut, queryStart, queryEnd) };
    r.run(
      attentionKernel('dkv', o.variant, headSize),
      { ...here, k, v, stats, keyEnd, dk, dv },
      { rows: tokens, heads, kvHeads, vectors: headSize / 4, queryStart, queryEnd, scale, accumulate: queryStart > 0 ? 1 : 0 },
      { overrides: attentionLanes(kvHeads), work: 4 * pairs(o, queryEnd - queryStart) },
    );
  }
  return { dk, dv };
}
