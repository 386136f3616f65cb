/** Attention's kernels, one of each for a class of head sizes: WGSL's private arrays need a constant length. Knows no tensors. */
import { invariant } from '#base/errors.ts';
import { type Kernel, type KernelDescription, ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import forwardBlocked from '#engine/ops/attention/attention-blocked.wgsl?raw';
import dkvBlocked from '#engine/ops/attention/attention-dkv-blocked.wgsl?raw';
import dkv from '#engine/ops/attention/attention-dkv.wgsl?raw';
import dqBlocked from '#engine/ops/attention/attention-dq-blocked.wgsl?raw';
import dq from '#engine/ops/attention/attention-dq.wgsl?raw';
import rowDot from '#engine/ops/attention/attention-row-dot.wgsl?raw';
import forward from '#engine/ops/attention/attention.wgsl?raw';

/**
 * `plain`: a query (or key) an invocation; it reads nothing outside its range. `blocked`: four neighbouring ones an invocation, which
 * reads memory a quarter as often; for packed batches, and heads whose arrays stay under WGSL's 8,192 bytes a function.
 */
export type AttentionVariant = 'plain' | 'blocked';

/** Queries or keys an invocation. */
const BLOCK: Record<AttentionVariant, number> = { plain: 1, blocked: 4 };

/** The key and value kernel holds four arrays of 16 bytes x head size: at 96 they are 6,144 bytes. */
export const MAX_BLOCKED_HEAD_SIZE = 96;

const SOURCES = {
  forward: { plain: forward, blocked: forwardBlocked },
  dq: { plain: dq, blocked: dqBlocked },
  dkv: { plain: dkv, blocked: dkvBlocked },
};
const WRITES = { forward: ['out', 'lse'], dq: ['dq'], dkv: ['dk', 'dv'] };

/** Private arrays are made for the first of these that holds the head. The loops over them run to the head's own size, a parameter. */
const HEAD_SIZES = [32, 64, MAX_BLOCKED_HEAD_SIZE, 128, 256];

const kernels = new Map<string, Kernel>();

function kernelOf(name: string, headSize: number, description: Omit<KernelDescription, 'name' | 'include'>): Kernel {
  const largest = HEAD_SIZES.find((size) => size >= headSize);
  invariant(largest, `attention: heads of ${headSize}, at most ${HEAD_SIZES.at(-1)} were expected`);
  const key = `${name}-${largest}`;
  let kernel = kernels.get(key);
  if (!kernel) {
    kernel = defineKernel({ ...description, name: key, include: [`const MAX_VECTORS = ${largest / 4}u;`] });
    kernels.set(key, kernel);
  }
  return kernel;
}

/** The kernel of a pass; its grid is heads (kv heads for `dkv`) x blocks of rows. */
export function attentionKernel(pass: 'forward' | 'dq' | 'dkv', variant: AttentionVariant, headSize: number): Kernel {
  return kernelOf(variant === 'plain' ? `attention-${pass}` : `attention-${pass}-blocked`, headSize, {
    source: SOURCES[pass][variant],
    writes: WRITES[pass],
    grid: ({ rows = 0, heads = 0, kvHeads = 0 }, { headLanes = 1, rowLanes = 1 }) => [
      ceilDivide(pass === 'dkv' ? kvHeads : heads, headLanes),
      ceilDivide(ceilDivide(rows, BLOCK[variant]), rowLanes),
      1,
    ],
  });
}

export const rowDotKernel = defineKernel({
  name: 'attention-row-dot',
  source: rowDot,
  writes: ['stats'],
  grid: ({ rows = 0, heads = 0 }) => linearGrid(ceilDivide(rows * heads, 64)),
});

/**
 * Neighbouring lanes take the heads of one token, whose loops are equally long. Few shapes of workgroups: each is a pipeline, and these
 * take seconds to compile on a CPU.
 */
export function attentionLanes(heads: number): { headLanes: number; rowLanes: number } {
  return { headLanes: heads > 2 ? 4 : heads, rowLanes: 8 };
}
