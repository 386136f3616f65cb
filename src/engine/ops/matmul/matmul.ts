/** Matrix products of f32 activations with frozen weights, parameters and each other. Shapes are the caller's to check. */
import { invariant } from '#base/errors.ts';
import { type Kernel, ceilDivide, defineKernel } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor, View } from '#engine/graph/tensor.ts';
import { type MatmulVariant, matmulSource, variantName } from '#engine/ops/matmul/matmul-source.ts';

/** A product out [m, n] = alpha sum_k a b (+ scale x tail). Counts are elements; each but `rows` of `nt`/`nn` and `inner` is a multiple of 4. */
export interface Product {
  variant: Omit<MatmulVariant, 'tileRows' | 'tileColumns' | 'bias'> & { bias?: boolean };
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

/** Enough workgroups to fill a device matter more than a large tile: a few-column or few-row product gets a smaller one. */
const WANTED_WORKGROUPS = 4;

function chooseTile(
  form: MatmulVariant['form'],
  rows: number,
  columns: number,
): { tileRows: number; tileColumns: number; lanesX: number; lanesY: number } {
  let tileRows = rows >= 8 ? 8 : rows >= 4 ? 4 : 1;
  let tileColumns = columns >= 8 ? 8 : 4;
  if (form === 'tn') tileRows = Math.max(4, tileRows);
  if (rows * columns < 64 * 64 * WANTED_WORKGROUPS && tileRows === 8) tileRows = 4;
  if (rows * columns < 32 * 32 * WANTED_WORKGROUPS) tileColumns = 4;
  const threadsX = ceilDivide(columns, tileColumns);
  const threadsY = ceilDivide(rows, tileRows);
  let lanesX = Math.min(8, powerOfTwo(threadsX));
  let lanesY = Math.min(64 / lanesX, powerOfTwo(threadsY), 16);
  const workgroups = () => ceilDivide(threadsX, lanesX) * ceilDivide(threadsY, lanesY);
  while (workgroups() < WANTED_WORKGROUPS && lanesX * lanesY > 4) {
    if (lanesY > 1) lanesY /= 2;
    else lanesX /= 2;
  }
  return { tileRows, tileColumns, lanesX, lanesY };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, atLeast)));
}

function vectors(elements: number, what: string): number {
  invariant(elements % 4 === 0, `matmul: ${what} ${elements} is not a multiple of 4`);
  return elements / 4;
}

export function recordProduct(r: Recorder, product: Product): void {
  const { rows, columns, inner, rank = 0, dropout } = product;
  const { lanesX, lanesY, ...tile } = chooseTile(product.variant.form, rows, columns);
  r.run(
    kernelOf({ bias: false, ...product.variant, ...tile }),
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
      alpha: product.alpha ?? 1,
      accumulate: product.accumulate ? 1 : 0,
      rank4: vectors(rank, 'rank'),
      scale: product.scale ?? 0,
      salt: dropout?.salt ?? 0,
      keep: 1 - (dropout?.rate ?? 0),
      rowStart: product.rowStart ?? 0,
    },
    { overrides: { lanesX, lanesY }, work: rows * columns * (inner + rank), minLossRows: product.minLossRows },
  );
}
