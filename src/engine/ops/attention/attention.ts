/** Causal attention over packed segments or a KV cache, grouped queries, online softmax. Knows no layer. */
import { invariant } from '#base/errors.ts';
import { type Grid, type Kernel, ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, shapeText } from '#engine/graph/tensor.ts';
import dkvSource from '#engine/ops/attention/attention.dkv.wgsl?raw';
import dqSource from '#engine/ops/attention/attention.dq.wgsl?raw';
import forwardSource from '#engine/ops/attention/attention.fwd.wgsl?raw';
import statsSource from '#engine/ops/attention/attention.stats.wgsl?raw';

/** Which keys a query sees, u32 [queries]: `[rangeStart, rangeEnd)`. In training key j is seen by queries `[j, keyEnd[j])`, u32 [keys]. */
export interface AttentionRanges {
  rangeStart: Tensor;
  rangeEnd: Tensor;
  keyEnd?: Tensor;
}

export interface AttentionShape {
  heads: number;
  kvHeads: number;
  headSize: number;
  /** Multiplies the scores; mostly 1 / sqrt(headSize). */
  scale: number;
}

interface Kernels {
  forward: Kernel;
  stats: Kernel;
  dq: Kernel;
  dkv: Kernel;
}

const LARGEST_HEAD = 256;
const kernels = new Map<number, Kernels>();

/** The kernels of one head size: WGSL's private arrays need a constant length, so it is put before each source. */
function kernelsOf(headSize: number): Kernels {
  let found = kernels.get(headSize);
  if (!found) {
    const include = [`const HEAD_VECTORS = ${headSize / 4}u;`];
    const tiled =
      (columns: string, rows: string) =>
      (params: Record<string, number>, o: Readonly<Record<string, number>>): Grid => [
        ceilDivide(params[columns], o.lanesX),
        ceilDivide(params[rows], o.lanesY),
        1,
      ];
    found = {
      forward: defineKernel({
        name: `attention-${headSize}`,
        include,
        source: forwardSource,
        writes: ['out', 'lse'],
        overrides: { lanesX: 8, lanesY: 8 },
        grid: tiled('heads', 'queries'),
      }),
      stats: defineKernel({
        name: `attention-stats-${headSize}`,
        include,
        source: statsSource,
        writes: ['stats'],
        grid: ({ count }) => linearGrid(ceilDivide(count, 64)),
      }),
      dq: defineKernel({
        name: `attention-dq-${headSize}`,
        include,
        source: dqSource,
        writes: ['dq'],
        overrides: { lanesX: 8, lanesY: 8 },
        grid: tiled('heads', 'queries'),
      }),
      dkv: defineKernel({
        name: `attention-dkv-${headSize}`,
        include,
        source: dkvSource,
        writes: ['dk', 'dv'],
        overrides: { lanesX: 4, lanesY: 16 },
        grid: tiled('kvHeads', 'keys'),
      }),
    };
    kernels.set(headSize, found);
  }
  return found;
}

/**
 * out [queries, heads x headSize] = softmax(scale q k^T over the query's range) v, heads / kvHeads query heads to a key head.
 * q [queries, heads x headSize], k and v [keys, kvHeads x headSize], f32. Saves only the log-sum-exp [queries, heads].
 * A query with an empty range gives zeros. Gradients need keys = queries and `keyEnd`.
 * @source FlashAttention-2, https://arxiv.org/abs/2307.08691
 */
export function attention(r: Recorder, q: Tensor, k: Tensor, v: Tensor, ranges: AttentionRanges, shape: AttentionShape): Tensor {
  const { heads, kvHeads, headSize, scale } = shape;
  const [queries] = q.shape;
  const [keys] = k.shape;
  invariant(
    headSize % 4 === 0 && headSize <= LARGEST_HEAD,
    `attention: head size ${headSize} is not a multiple of 4 up to ${LARGEST_HEAD}`,
  );
  invariant(heads % kvHeads === 0, `attention: ${heads} heads over ${kvHeads}`);
  invariant(q.shape[1] === heads * headSize, `attention: q ${shapeText(q.shape)} with ${heads} heads of ${headSize}`);
  invariant(
    k.shape[1] === kvHeads * headSize && shapeText(k.shape) === shapeText(v.shape),
    `attention: k ${shapeText(k.shape)}, v ${shapeText(v.shape)}`,
  );
  const kernel = kernelsOf(headSize);
  const groupHeads = heads / kvHeads;
  const out = r.tensor('attention', q.shape);
  const lse = r.tensor('attention.lse', [queries, heads]);
  const { rangeStart, rangeEnd, keyEnd } = ranges;
  const work = (products: number) => (products * queries * queries * heads * headSize) / 2;
  r.run(kernel.forward, { q, k, v, rangeStart, rangeEnd, out, lse }, { queries, heads, groupHeads, scale }, { work: work(2) });
  r.differentiable([out], [q, k, v], () => {
    const dOut = r.gradientOf(out);
    invariant(dOut && keyEnd && keys === queries, 'attention: a gradient needs keyEnd and as many keys as queries');
    const stats = r.tensor('attention.stats', [queries, heads, 2]);
    r.run(kernel.stats, { out, dOut, lse, stats }, { count: queries * heads });
    if (q.needsGrad) {
      const dq = r.tensor('q.gradient', q.shape);
      r.run(kernel.dq, { q, k, v, dOut, stats, rangeStart, rangeEnd, dq }, { queries, heads, groupHeads, scale }, { work: work(3) });
      r.contribute(q, { tensor: dq, owned: true });
    }
    if (k.needsGrad || v.needsGrad) {
      const dk = r.tensor('k.gradient', k.shape);
      const dv = r.tensor('v.gradient', v.shape);
      r.run(kernel.dkv, { q, k, v, dOut, stats, keyEnd, dk, dv }, { keys, kvHeads, groupHeads, scale }, { work: work(4) });
      r.contribute(k, { tensor: dk, owned: true });
      r.contribute(v, { tensor: dv, owned: true });
    }
  });
  return out;
}
