/** Matrix products of f32 activations with frozen weights, parameters and each other. Shapes are the caller's to check. */
import { invariant } from '#base/errors.ts';
import { type Kernel, ceilDivide, defineKernel } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor, View } from '#engine/graph/tensor.ts';
import { type MatmulVariant, matmulSource, variantName } from '#engine/ops/matmul/matmul-source.ts';

/** A product out [m, n] = alpha sum_k a b (+ scale x tail). Counts are elements; each but `rows` of `nt`/`nn` and `inner` is a multiple of 4. */
export interface Product {
  variant: Pick<MatmulVariant, 'form' | 'weight' | 'tail' | 'dropout' | 'gradient'> & { bias?: boolean };
  bindings: Record<string, Tensor | View>;
  rows: number;
  columns: number;
  inner: number;
  /** Elements from one row of a to the next, and from its start to the first element. */
  aStride: number;
  aOffset?: number;
  /** Elements from one row of an unfrozen b to the next. */
  bStride?: number;
  outStride: number;
  outOffset?: number;
  alpha?: number;
  /** Add to what `out` holds. For a gradient: on every micro-batch, the first too. */
  accumulate?: boolean;
  rank?: number;
  scale?: number;
  dropout?: Dropout;
  /** Index of the first row in the whole batch, for the dropout mask. */
  rowStart?: number;
  minLossRows?: number;
}

/** Dropout of a LoRA branch: `salt` tells one layer from another. */
export interface Dropout {
  rate: number;
  salt: number;
}

const kernels = new Map<string, Kernel>();

function kernelOf(variant: MatmulVariant): Kernel {
  const name = variantName(variant);
  let kernel = kernels.get(name);
  if (!kernel) {
    const { tileRows, tileColumns } = variant;
    kernel = defineKernel({
      name,
      source: matmulSource(variant),
      writes: ['out'],
      overrides: { lanesX: 8, lanesY: 8 },
      grid: ({ rows = 0, columns = 0 }, { lanesX = 1, lanesY = 1 }) => [
        ceilDivide(columns, tileColumns * lanesX),
        ceilDivide(rows, tileRows * lanesY),
        1,
      ],
    });
    kernels.set(name, kernel);
  }
  return kernel;
}

/** Multiply-adds below which a kernel that compiles quickly is worth more than one that runs quickly. */
const LITTLE_WORK = 2 ** 19;
/** Fewer workgroups than this leave parts of a device idle. */
const WANTED_WORKGROUPS = 4;
/** A quad's four tiles of eight columns. */
const QUAD_COLUMNS = 32;

interface Tile {
  quads: boolean;
  tileRows: number;
  tileColumns: number;
  lanesX: number;
  lanesY: number;
}

/**
 * Measured on SwiftShader and lavapipe: loading a vector of four costs about as much as eighty multiply-adds, so a large tile wins even
 * where few invocations are left, until its code no longer fits the instruction cache. Few workgroup shapes, since each is a pipeline.
 */
function chooseTile(form: MatmulVariant['form'], rows: number, columns: number, inner: number, hasQuads: boolean): Tile {
  const isLittle = rows * columns * inner < LITTLE_WORK;
  const quads = hasQuads && form !== 'tn' && rows >= 16 && columns >= QUAD_COLUMNS && !isLittle;
  if (quads) return { quads, tileRows: 16, tileColumns: 8, lanesX: 4, lanesY: rows > 16 ? 2 : 1 };
  const tileRows = rows >= 8 && !isLittle ? 8 : rows >= 4 || form === 'tn' ? 4 : 1;
  const tileColumns = columns >= 8 && !isLittle ? 8 : 4;
  const threadsX = ceilDivide(columns, tileColumns);
  const threadsY = ceilDivide(rows, tileRows);
  const tile = { quads, tileRows, tileColumns };
  if (threadsX >= 8 && threadsY >= 8 && ceilDivide(threadsX, 8) * ceilDivide(threadsY, 8) >= WANTED_WORKGROUPS) {
    return { ...tile, lanesX: 8, lanesY: 8 };
  }
  return threadsX >= threadsY ? { ...tile, lanesX: 8, lanesY: 1 } : { ...tile, lanesX: 1, lanesY: 8 };
}

function vectors(elements: number, what: string): number {
  invariant(elements % 4 === 0, `matmul: ${what} ${elements} is not a multiple of 4`);
  return elements / 4;
}

export function recordProduct(r: Recorder, product: Product): void {
  const { rows, columns, inner, rank = 0, dropout, alpha = 1, accumulate = false } = product;
  const { lanesX, lanesY, ...tile } = chooseTile(product.variant.form, rows, columns, inner, r.limits.quads === true);
  invariant(alpha === 1 || !product.variant.tail, 'matmul: a product with a tail is not scaled');
  r.run(
    kernelOf({ bias: false, ...product.variant, accumulate, ...tile }),
    product.bindings,
    {
      rows,
      columns,
      inner,
      aStride: vectors(product.aStride, 'aStride'),
      aOffset: vectors(product.aOffset ?? 0, 'aOffset'),
      bStride: vectors(product.bStride ?? 0, 'bStride'),
      outStride: vectors(product.outStride, 'outStride'),
      outOffset: vectors(product.outOffset ?? 0, 'outOffset'),
      alpha,
      rank4: vectors(rank, 'rank'),
      scale: product.scale ?? 0,
      salt: dropout?.salt ?? 0,
      keep: 1 - (dropout?.rate ?? 0),
      rowStart: product.rowStart ?? 0,
    },
    { overrides: { lanesX, lanesY }, work: rows * columns * (inner + rank), minLossRows: product.minLossRows },
  );
}
