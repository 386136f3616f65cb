/**
 * Writes the WGSL of a matrix product with its tile unrolled. One pure function: the tile's accumulators must be named variables
 * to stay in registers, which WGSL itself cannot express for a size chosen later.
 */
import type { WeightType } from '#formats/weights.ts';
import header from '#engine/ops/batch/header.wgsl?raw';
import dropoutSource from '#engine/ops/matmul/dropout.wgsl?raw';
import { WEIGHT_SOURCES } from '#engine/ops/weights/weight-matrix.ts';

/**
 * How the operands lie (`k` is summed over):
 * `nt` out[m, n] = sum a[m, k] b[n, k] (a linear's forward); `nn` out[m, n] = sum a[m, k] b[k, n] (its input's gradient);
 * `tn` out[m, n] = sum a[k, m] b[k, n] (its weight's gradient).
 */
export type Form = 'nt' | 'nn' | 'tn';

export interface MatmulVariant {
  form: Form;
  /** The type of a frozen b; null for an f32 activation or parameter. */
  weight: WeightType | null;
  /** Adds a second product over `rank4` vectors, scaled: t[m, r] u[n, r] for `nt`, t[m, r] u[r, n] for `nn`. */
  tail: boolean;
  /** Dropout of a's elements in `nt`, of the tail's result in `nn`, of b's elements in `tn`. */
  dropout: boolean;
  /** `nt` alone: adds a bias [columns] to every row. */
  bias: boolean;
  /** The output is a parameter's gradient: overwritten on a step's first micro-batch, added to on the others. */
  gradient: boolean;
  /** Adds to what the output holds, always. */
  accumulate: boolean;
  /** Not for `tn`: each of the four lanes of a quad loads a fourth of the tile's rows and hands them to the others. */
  quads: boolean;
  tileRows: number;
  tileColumns: number;
}

const FLAGS = ['tail', 'bias', 'dropout', 'gradient', 'accumulate', 'quads'] as const;

export function variantName(v: MatmulVariant): string {
  const flags = FLAGS.filter((flag) => v[flag]);
  return ['matmul', v.form, v.weight ?? 'activation', `${v.tileRows}x${v.tileColumns}`, ...flags].join('-');
}

const COMPONENTS = ['x', 'y', 'z', 'w'] as const;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const lines = (...parts: (string | readonly string[])[]) => parts.flat().join('\n');

export function matmulSource(v: MatmulVariant): string {
  const rows = range(v.tileRows);
  const groups = range(v.tileColumns / 4);
  const needsHeader = v.dropout || v.gradient;
  const each = (line: (i: number, j: number) => string) => rows.map((i) => lines(groups.map((j) => line(i, j))));
  const product = { nt: productNT, nn: productNN, tn: productTN }[v.form];
  return `${v.quads ? 'enable subgroups;' : ''}
// out = ${v.tail ? 'product + scale x tail' : 'alpha x product'}; ${variantName(v)}. Accumulates in f32.
// One invocation computes ${v.tileRows} rows x ${v.tileColumns} columns; strides and offsets count vectors of four.
override lanesX: u32 = 8;
override lanesY: u32 = 8;
struct Params {
  rows: u32, columns: u32, inner: u32, aStride: u32, aOffset: u32, bStride: u32, outStride: u32, outOffset: u32,
  alpha: f32, rank4: u32, scale: f32, salt: u32, keep: f32, rowStart: u32,
}
${needsHeader ? header : ''}
${v.weight ? WEIGHT_SOURCES[v.weight] : '@group(0) @binding(6) var<storage, read_write> b: array<vec4<f32>>;'}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
${v.tail ? '@group(0) @binding(3) var<storage, read_write> t: array<vec4<f32>>;\n@group(0) @binding(4) var<storage, read> u: array<vec4<f32>>;' : ''}
${needsHeader ? '@group(0) @binding(5) var<storage, read> header: Header;' : ''}
${v.bias ? '@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;' : ''}
${v.dropout ? dropoutSource : ''}
fn loadB(i: u32) -> vec4<f32> { return ${v.weight ? 'weight4(i)' : 'b[i]'}; }

@compute @workgroup_size(lanesX, lanesY)
fn main(@builtin(global_invocation_id) id: vec3<u32>${v.quads ? ', @builtin(subgroup_invocation_id) lane: u32' : ''}) {
  let left = id.x * ${v.tileColumns}u;
  let top = id.y * ${v.tileRows}u;
${v.quads ? '  // A lane past the edge stays: the others of its quad take rows from it.' : '  if (left >= p.columns || top >= p.rows) { return; }'}
${lines(rows.map((i) => `  let m${i} = min(top + ${i}u, p.rows - 1u);`))}
${v.quads ? lines(range(rows.length / 4).map((h) => `  let own${h} = min(top + ${4 * h}u + (lane & 3u), p.rows - 1u);`)) : ''}
${lines(groups.map((j) => `  let n${j} = min(left / 4u + ${j}u, p.columns / 4u - 1u);`))}
${lines(each((i, j) => `  var c${i}_${j} = vec4<f32>();`))}
${product(v, rows, groups)}
${v.tail ? tail(v, rows, groups) : lines(each((i, j) => `  c${i}_${j} *= p.alpha;`))}
${lines(each((i, j) => store(v, i, j)))}
}
`;
}

/**
 * Loads the vectors name0, name1, ... of the tile's rows inside a loop, held inside the matrix: what lies past the edge is computed
 * and not stored. @param load the expression for the i-th row that this lane loads.
 */
function loadRows(v: MatmulVariant, name: string, rows: number[], load: (i: number) => string): string {
  if (!v.quads) return lines(rows.map((i) => `    let ${name}${i} = ${load(i)};`));
  return lines(
    loadedRows(v, rows).map((_, i) => `    let ${name}Own${i} = ${load(i)};`),
    rows.map((i) => `    let ${name}${i} = quadBroadcast(${name}Own${i >> 2}, ${i & 3}u);`),
  );
}

/** The rows that a lane loads itself. */
function loadedRows(v: MatmulVariant, rows: number[]): string[] {
  return v.quads ? range(rows.length / 4).map((h) => `own${h}`) : rows.map((i) => `m${i}`);
}

/** Where the lane's rows of a begin. Before the loop, as all that it reads of `p`: a uniform costs a software adapter a load each time. */
function rowStarts(v: MatmulVariant, rows: number[]): string {
  return lines(loadedRows(v, rows).map((row, i) => `  let aAt${i} = ${row} * p.aStride + p.aOffset;`));
}

function loadA(v: MatmulVariant, rows: number[]): string {
  const loaded = loadedRows(v, rows);
  const mask = (i: number) => (v.form === 'nt' && v.dropout ? ` * dropoutMask(p.rowStart + ${loaded[i]}, k)` : '');
  return loadRows(v, 'a', rows, (i) => `a[aAt${i} + k]${mask(i)}`);
}

/**
 * Vectors along k that are summed before they go to the whole sum: what rounds away grows with a sum's length, and a residual stream of
 * 24,000 (the first token of SmolLM2) showed it in the logits.
 */
const BLOCK = 32;

function productNT(v: MatmulVariant, rows: number[], groups: number[]): string {
  const stride = v.weight ? '(p.inner / 4u)' : 'p.bStride';
  return `
${rowStarts(v, rows)}
${lines(range(v.tileColumns).map((j) => `  let bAt${j} = min(left + ${j}u, p.columns - 1u) * ${stride};`))}
  let inner4 = p.inner / 4u;
  for (var at = 0u; at < inner4; at += ${BLOCK}u) {
${lines(rows.flatMap((i) => groups.map((j) => `    var s${i}_${j} = vec4<f32>();`)))}
    let end = min(at + ${BLOCK}u, inner4);
    for (var k = at; k < end; k++) {
${loadA(v, rows)}
${lines(groups.map((g) => dotGroup('s', 'a', 'b', rows, g, (j) => `loadB(bAt${j} + k)`)))}
    }
${lines(rows.flatMap((i) => groups.map((j) => `    c${i}_${j} += s${i}_${j};`)))}
  }`;
}

/** sum += dot products of each row's vector along k with four columns' at a time, so that few vectors of b live at once. */
function dotGroup(sum: string, a: string, b: string, rows: number[], group: number, load: (column: number) => string): string {
  const four = range(4).map((e) => group * 4 + e);
  return lines(
    four.map((j) => `    let ${b}${j} = ${load(j)};`),
    rows.map((i) => `    ${sum}${i}_${group} += vec4<f32>(${four.map((j) => `dot(${a}${i}, ${b}${j})`).join(', ')});`),
  );
}

/** Vectors along k of four neighbours, from vectors of neighbours at four k: name0, name1, ... from `from(k)`. */
function transposed(name: string, first: number, from: (k: number) => string): string[] {
  return COMPONENTS.map(
    (c, e) =>
      `    let ${name}${first + e} = vec4<f32>(${range(4)
        .map((k) => `${from(k)}.${c}`)
        .join(', ')});`,
  );
}

function productNN(v: MatmulVariant, rows: number[], groups: number[]): string {
  return `
${rowStarts(v, rows)}
  let inner4 = (p.inner + 3u) / 4u;
  let lastK = p.inner - 1u;
  let bStride = ${v.weight ? 'p.columns / 4u' : 'p.bStride'};
  for (var k = 0u; k < inner4; k++) {
${loadA(v, rows)}
${lines(range(4).map((e) => `    let bAt${e} = min(4u * k + ${e}u, lastK) * bStride;`))}
${lines(groups.map((j) => transposedGroup('c', 'a', 'b', rows, j, (e) => `loadB(bAt${e} + n${j})`)))}
  }`;
}

/** As `dotGroup`, from rows of b at four k. Dot products, since a compiler that keeps vectors in memory handles them best. */
function transposedGroup(sum: string, a: string, b: string, rows: number[], group: number, load: (k: number) => string): string {
  const four = range(4).map((e) => group * 4 + e);
  return lines(
    range(4).map((k) => `    let ${b}Row${k}_${group} = ${load(k)};`),
    transposed(b, group * 4, (k) => `${b}Row${k}_${group}`),
    rows.map((i) => `    ${sum}${i}_${group} += vec4<f32>(${four.map((j) => `dot(${a}${i}, ${b}${j})`).join(', ')});`),
  );
}

function productTN(v: MatmulVariant, rows: number[], groups: number[]): string {
  const rowGroups = range(rows.length / 4);
  const four = range(4);
  const mask = (e: number, j: number) => (v.dropout ? ` * dropoutMask(p.rowStart + k${e}, n${j})` : '');
  return `
${lines(rowGroups.map((i) => `  let aAt${i} = min(top / 4u + ${i}u, p.rows / 4u - 1u) + p.aOffset;`))}
  let inner = p.inner;
  let aStride = p.aStride;
  let bStride = ${v.weight ? 'p.columns / 4u' : 'p.bStride'};
  for (var k = 0u; k < inner; k += 4u) {
${lines(
  four.map((e) => `    let k${e} = min(k + ${e}u, inner - 1u);\n    let isInside${e} = select(0.0, 1.0, k + ${e}u < inner);`),
  rowGroups.flatMap((i) => four.map((e) => `    let aRow${e}_${i} = a[k${e} * aStride + aAt${i}] * isInside${e};`)),
  rowGroups.flatMap((i) => transposed('a', 4 * i, (e) => `aRow${e}_${i}`)),
  groups.map((j) => transposedGroup('c', 'a', 'b', rows, j, (e) => `loadB(k${e} * bStride + n${j})${mask(e, j)}`)),
)}
  }`;
}

/** The low-rank second product: rank4 vectors of t's row against u. Onto the first's sums; with dropout into sums of its own first. */
function tail(v: MatmulVariant, rows: number[], groups: number[]): string {
  const sum = v.dropout ? 'd' : 'c';
  const loaded = loadedRows(v, rows);
  const steps =
    v.form === 'nt'
      ? groups.map((g) => dotGroup(sum, 't', 'u', rows, g, (j) => `u[min(left + ${j}u, p.columns - 1u) * rank4 + r]`))
      : groups.map((g) => transposedGroup(sum, 't', 'u', rows, g, (e) => `u[(4u * r + ${e}u) * (p.columns / 4u) + n${g}]`));
  const each = (line: (i: number, j: number) => string) => lines(rows.flatMap((i) => groups.map((j) => line(i, j))));
  return `${v.dropout ? each((i, j) => `  var d${i}_${j} = vec4<f32>();`) : ''}
  let rank4 = p.rank4;
  for (var r = 0u; r < rank4; r++) {
${loadRows(v, 't', rows, (i) => `t[${loaded[i]} * rank4 + r] * p.scale`)}
${lines(steps)}
  }
${v.dropout ? each((i, j) => `  c${i}_${j} += d${i}_${j} * dropoutMask(p.rowStart + m${i}, n${j});`) : ''}`;
}

function store(v: MatmulVariant, i: number, j: number): string {
  const at = `(top + ${i}u) * p.outStride + p.outOffset + left / 4u + ${j}u`;
  const add = `c${i}_${j} += out[at];`;
  return lines(
    `  if (top + ${i}u < p.rows && left + ${4 * j}u < p.columns) {`,
    `    let at = ${at};`,
    v.bias ? `    c${i}_${j} += bias[p.outOffset + left / 4u + ${j}u];` : [],
    v.accumulate ? `    ${add}` : v.gradient ? `    if (header.microBatch != 0u) { ${add} }` : [],
    `    out[at] = c${i}_${j};`,
    '  }',
  );
}
