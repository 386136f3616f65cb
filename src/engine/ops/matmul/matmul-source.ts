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
  tileRows: number;
  tileColumns: number;
}

export function variantName(v: MatmulVariant): string {
  const parts = [v.form, v.weight ?? 'activation', `${v.tileRows}x${v.tileColumns}`];
  if (v.tail) parts.push('tail');
  if (v.bias) parts.push('bias');
  if (v.dropout) parts.push('dropout');
  if (v.gradient) parts.push('gradient');
  return `matmul-${parts.join('-')}`;
}

const COMPONENTS = ['x', 'y', 'z', 'w'] as const;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

export function matmulSource(v: MatmulVariant): string {
  const rows = range(v.tileRows);
  const groups = range(v.tileColumns / 4);
  const needsHeader = v.dropout || v.gradient;
  return `
// out = alpha x product${v.tail ? ' + scale x tail' : ''}; ${variantName(v)}. Accumulates in f32.
// One invocation computes ${v.tileRows} rows x ${v.tileColumns} columns; strides and offsets count vectors of four.
override lanesX: u32 = 8;
override lanesY: u32 = 8;
struct Params {
  rows: u32, columns: u32, inner: u32, aStride: u32, aOffset: u32, bStride: u32, outStride: u32, outOffset: u32,
  alpha: f32, accumulate: u32, rank4: u32, scale: f32, salt: u32, keep: f32, rowStart: u32,
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
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let left = id.x * ${v.tileColumns}u;
  let top = id.y * ${v.tileRows}u;
  if (left >= p.columns || top >= p.rows) { return; }
${rows.map((i) => groups.map((j) => `  var c${i}_${j} = vec4<f32>();`).join('\n')).join('\n')}
${v.form === 'nt' ? productNT(v, rows, groups) : v.form === 'nn' ? productNN(v, rows, groups) : productTN(v, rows, groups)}
${rows.map((i) => groups.map((j) => `  c${i}_${j} *= p.alpha;`).join('\n')).join('\n')}
${v.tail ? tail(v, rows, groups) : ''}
${rows.map((i) => groups.map((j) => store(v, i, j)).join('\n')).join('\n')}
}
`;
}

/** A row or column of the tile, held inside the matrix: what lies past the edge is computed and not stored. */
function clamped(name: string, base: string, i: number, limit: string): string {
  return `  let ${name} = min(${base} + ${i}u, ${limit} - 1u);`;
}

function productNT(v: MatmulVariant, rows: number[], groups: number[]): string {
  const columns = range(v.tileColumns);
  const stride = v.weight ? '(p.inner / 4u)' : 'p.bStride';
  const masked = (i: number) => (v.dropout ? ` * dropoutMask(p.rowStart + m${i}, k)` : '');
  return `
${rows.map((i) => `${clamped(`m${i}`, 'top', i, 'p.rows')} let a${i}At = m${i} * p.aStride + p.aOffset;`).join('\n')}
${columns.map((j) => `  let b${j}At = min(left + ${j}u, p.columns - 1u) * ${stride};`).join('\n')}
  for (var k = 0u; k < p.inner / 4u; k++) {
${rows.map((i) => `    let a${i} = a[a${i}At + k]${masked(i)};`).join('\n')}
${groups.map((g) => dotGroup(rows, g)).join('\n')}
  }`;
}

/** Four columns at a time, so that few vectors of b live at once. */
function dotGroup(rows: number[], group: number): string {
  const four = [0, 1, 2, 3].map((e) => group * 4 + e);
  const loads = four.map((j) => `    let b${j} = loadB(b${j}At + k);`);
  const sums = rows.map((i) => `    c${i}_${group} += vec4<f32>(${four.map((j) => `dot(a${i}, b${j})`).join(', ')});`);
  return [...loads, ...sums].join('\n');
}

function productNN(v: MatmulVariant, rows: number[], groups: number[]): string {
  const stride = v.weight ? '(p.columns / 4u)' : 'p.bStride';
  const step = COMPONENTS.map((component, e) => {
    const loads = groups.map((j) => `      let b${j} = loadB(bAt + min(n4 + ${j}u, last4));`);
    const sums = rows.flatMap((i) => groups.map((j) => `      c${i}_${j} += a${i}.${component} * b${j};`));
    return [`    {`, `      let bAt = min(4u * k + ${e}u, p.inner - 1u) * ${stride};`, ...loads, ...sums, '    }'].join('\n');
  });
  return `
${rows.map((i) => `${clamped(`m${i}`, 'top', i, 'p.rows')} let a${i}At = m${i} * p.aStride + p.aOffset;`).join('\n')}
  let n4 = left / 4u;
  let last4 = p.columns / 4u - 1u;
  for (var k = 0u; k < (p.inner + 3u) / 4u; k++) {
${rows.map((i) => `    let a${i} = a[a${i}At + k];`).join('\n')}
${step.join('\n')}
  }`;
}

function productTN(v: MatmulVariant, rows: number[], groups: number[]): string {
  const rowGroups = range(rows.length / 4);
  const mask = (j: number) => (v.dropout ? ` * dropoutMask(p.rowStart + k, min(n4 + ${j}u, last4))` : '');
  const sums = rows.flatMap((i) => groups.map((j) => `    c${i}_${j} += a${i >> 2}.${COMPONENTS[i & 3]} * b${j};`));
  return `
  let n4 = left / 4u;
  let last4 = p.columns / 4u - 1u;
  let m4 = top / 4u + p.aOffset;
  let lastM4 = p.rows / 4u - 1u + p.aOffset;
  for (var k = 0u; k < p.inner; k++) {
${rowGroups.map((i) => `    let a${i} = a[k * p.aStride + min(m4 + ${i}u, lastM4)];`).join('\n')}
${groups.map((j) => `    let b${j} = loadB(k * p.bStride + min(n4 + ${j}u, last4))${mask(j)};`).join('\n')}
${sums.join('\n')}
  }`;
}

/** The low-rank second product: rank4 vectors of t's row against u. */
function tail(v: MatmulVariant, rows: number[], groups: number[]): string {
  const body = v.form === 'nt' ? tailNT(rows, groups) : tailNN(rows, groups);
  const add = rows.flatMap((i) =>
    groups.map((j) => {
      const mask = v.dropout ? ` * dropoutMask(p.rowStart + m${i}, min(n4 + ${j}u, last4))` : '';
      return `  c${i}_${j} += p.scale * d${i}_${j}${mask};`;
    }),
  );
  const zeros = rows.flatMap((i) => groups.map((j) => `  var d${i}_${j} = vec4<f32>();`));
  return [...zeros, body, ...add].join('\n');
}

function tailNT(rows: number[], groups: number[]): string {
  const sums = groups.flatMap((g) => {
    const four = [0, 1, 2, 3].map((e) => g * 4 + e);
    return [
      ...four.map((j) => `    let u${j} = u[min(left + ${j}u, p.columns - 1u) * p.rank4 + r];`),
      ...rows.map((i) => `    d${i}_${g} += vec4<f32>(${four.map((j) => `dot(t${i}, u${j})`).join(', ')});`),
    ];
  });
  return `  for (var r = 0u; r < p.rank4; r++) {
${rows.map((i) => `    let t${i} = t[m${i} * p.rank4 + r];`).join('\n')}
${sums.join('\n')}
  }`;
}

function tailNN(rows: number[], groups: number[]): string {
  const step = COMPONENTS.map((component, e) => {
    const loads = groups.map((j) => `      let u${j} = u[(4u * r + ${e}u) * (p.columns / 4u) + min(n4 + ${j}u, last4)];`);
    const sums = rows.flatMap((i) => groups.map((j) => `      d${i}_${j} += t${i}.${component} * u${j};`));
    return ['    {', ...loads, ...sums, '    }'].join('\n');
  });
  return `  for (var r = 0u; r < p.rank4; r++) {
${rows.map((i) => `    let t${i} = t[m${i} * p.rank4 + r];`).join('\n')}
${step.join('\n')}
  }`;
}

function store(v: MatmulVariant, i: number, j: number): string {
  const at = `(top + ${i}u) * p.outStride + p.outOffset + left / 4u + ${j}u`;
  const adds = v.gradient ? 'p.accumulate != 0u || header.microBatch != 0u' : 'p.accumulate != 0u';
  const bias = v.bias ? `\n    c${i}_${j} += bias[p.outOffset + left / 4u + ${j}u];` : '';
  return `  if (top + ${i}u < p.rows && left + ${4 * j}u < p.columns) {
    let at = ${at};${bias}
    if (${adds}) { c${i}_${j} += out[at]; }
    out[at] = c${i}_${j};
  }`;
}
