import { describe, expect, it } from 'vitest';
import type { WeightType } from '#formats/weights.ts';
import { type Product, recordProduct } from '#engine/ops/matmul/matmul.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { randomWeight } from '#engine/ops/testing/random-weight.ts';
import { type OpInput, runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';
import { weightBindings } from '#engine/ops/weights/weight-matrix.ts';

interface Case {
  name: string;
  form: 'nt' | 'nn' | 'tn';
  rows: number;
  columns: number;
  inner: number;
  weight?: WeightType;
  rank?: number;
  dropout?: boolean;
  accumulate?: boolean;
  gradient?: boolean;
  alpha?: number;
}

// Above the work at which large tiles are taken; rows and columns end inside a tile and inside a quad.
const LARGE = { rows: 37, columns: 76, inner: 256 };
const SMALL = { rows: 9, columns: 12, inner: 36 };
const cases: Case[] = [
  { name: 'nt of q4_1 with a tail', form: 'nt', ...LARGE, weight: 'q4_1', rank: 8 },
  { name: 'nt with dropout', form: 'nt', ...LARGE, dropout: true },
  { name: 'nn', form: 'nn', ...LARGE, inner: 253, alpha: 0.5 },
  { name: 'nn with a tail, added', form: 'nn', ...LARGE, rank: 4, accumulate: true },
  { name: 'nn with a tail and dropout', form: 'nn', ...LARGE, rank: 8, dropout: true },
  { name: 'tn', form: 'tn', ...LARGE, rows: 36, inner: 251, alpha: 0.5 },
  { name: 'tn of a gradient', form: 'tn', ...LARGE, rows: 36, gradient: true },
  { name: 'small nt with a tail', form: 'nt', ...SMALL, rank: 4 },
  { name: 'small nn', form: 'nn', ...SMALL, inner: 35 },
  { name: 'small tn', form: 'tn', ...SMALL, rows: 8, inner: 35 },
  { name: 'few columns', form: 'nn', ...LARGE, rows: 300, columns: 8 },
];
const hasQuadTile = ({ form, rows, columns }: Case) => form !== 'tn' && rows >= 16 && columns >= 32;

const PRIOR = 3;
/** What the product adds to, where it does: another value than what a wrong kernel would leave. */
const SCALE = 0.75;
const MICRO_BATCH = 1;

/** The case's numbers, and their product in float64 for a case without dropout. */
function numbersOf(c: Case, limits: Parameters<typeof randomWeight>[5]) {
  const { form, rows, columns, inner, rank = 0, alpha = 1 } = c;
  // The last vector of a row of a is padded with zeros, as logits are.
  const aColumns = Math.ceil((form === 'tn' ? rows : inner) / 4) * 4;
  const aRows = form === 'tn' ? inner : rows;
  const a = randomValues(aRows * aColumns, 1).map((value, i) => (form !== 'tn' && i % aColumns >= inner ? 0 : value));
  const [bRows, bColumns] = form === 'nt' ? [columns, inner] : [inner, columns];
  const weight = randomWeight('w', c.weight ?? 'f32', bRows, bColumns, 2, limits);
  const t = randomValues(rows * rank, 3);
  const u = randomValues(columns * rank, 4);
  const expected = new Float64Array(rows * columns);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < columns; n++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) {
        sum += (form === 'tn' ? a[k * aColumns + m] : a[m * aColumns + k]) * weight.values[form === 'nt' ? n * inner + k : k * columns + n];
      }
      let branch = 0;
      for (let r = 0; r < rank; r++) branch += t[m * rank + r] * (form === 'nt' ? u[n * rank + r] : u[r * columns + n]);
      expected[m * columns + n] = alpha * sum + SCALE * branch + (c.accumulate || c.gradient ? PRIOR : 0);
    }
  }
  return { a, aStride: aColumns, bColumns, weight, t, u, expected };
}

async function run(c: Case, quads: boolean) {
  const gpu = await testGpu(quads ? {} : { quads: false });
  const { form, rows, columns, inner, rank = 0, alpha = 1 } = c;
  const { a, aStride, bColumns, weight, t, u, expected } = numbersOf(c, gpu.limits);
  const header = new Uint32Array(8);
  header[2] = MICRO_BATCH;
  header[3] = 4321;
  const vector = (data: Float32Array | Uint32Array): OpInput => ({ shape: [data.length], data });
  let kernel = '';
  const result = await runOp(gpu, {
    inputs: {
      a: vector(a),
      b: vector(form === 'tn' ? Float32Array.from(weight.values) : new Float32Array(4)),
      header: vector(header),
      t: vector(rank > 0 ? t : new Float32Array(4)),
      u: vector(rank > 0 ? u : new Float32Array(4)),
      out: vector(new Float32Array(rows * columns).fill(PRIOR)),
    },
    weights: [weight],
    build: (r, tensors) => {
      const frozen = form !== 'tn';
      const product: Product = {
        variant: {
          form,
          weight: frozen ? weight.matrix.type : null,
          tail: rank > 0,
          dropout: c.dropout === true,
          gradient: c.gradient === true,
        },
        bindings: {
          a: tensors['a'],
          out: tensors['out'],
          ...(frozen ? weightBindings(weight.matrix, weight.matrix.shards[0]) : { b: tensors['b'] }),
          ...(rank > 0 ? { t: tensors['t'], u: tensors['u'] } : {}),
          ...(c.dropout || c.gradient ? { header: tensors['header'] } : {}),
        },
        rows,
        columns,
        inner,
        aStride,
        bStride: bColumns,
        outStride: columns,
        alpha,
        rank,
        scale: SCALE,
        accumulate: c.accumulate,
        dropout: c.dropout ? { rate: 0.25, salt: 3 } : undefined,
      };
      recordProduct(r, product);
      kernel = r.dispatches[0].kernel.name;
      return { out: tensors['out'] };
    },
    times: 1,
  });
  return { out: result.outputs['out'], expected, kernel };
}

describe('matmul', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const { out, expected, kernel } = await run(c, false);
      expect(kernel).not.toContain('quads');
      // The masks are drawn by the kernel alone; linear's test holds them to their meaning.
      if (c.dropout) expect(out.every(Number.isFinite)).toBe(true);
      else assertClose('out', out, expected, 2e-6);
      if ((await testGpu()).limits.quads !== true || !hasQuadTile(c)) return;
      const other = await run(c, true);
      expect(other.kernel).toContain('quads');
      expect(new Uint32Array(other.out.buffer), 'quads give the same bits').toEqual(new Uint32Array(out.buffer));
    });
  }
});
