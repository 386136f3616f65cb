/** Describes a compute kernel. Its WGSL is the truth: bindings and parameters are read from it, never typed twice. */
import { invariant } from '#base/errors.ts';

export type Access = 'read' | 'read_write';

export interface KernelBinding {
  name: string;
  index: number;
  access: Access;
}

export interface KernelParam {
  name: string;
  type: 'u32' | 'i32' | 'f32';
}

export type Params = Record<string, number>;
export type Grid = [x: number, y: number, z: number];

export interface Kernel {
  readonly name: string;
  readonly source: string;
  readonly bindings: readonly KernelBinding[];
  /** Fields of `struct Params`, in order, 4 bytes each. */
  readonly params: readonly KernelParam[];
  readonly hasParams: boolean;
  /** Names of the bindings that the kernel writes; the others are only read. */
  readonly writes: ReadonlySet<string>;
  readonly overrides: Readonly<Record<string, number>>;
  /** Workgroups for these parameters and overrides. */
  readonly grid: (params: Params, overrides: Readonly<Record<string, number>>) => Grid;
}

export interface KernelDescription {
  name: string;
  /** WGSL with an entry point `main`, group 0, `var<uniform>` at binding 0 if it has parameters. */
  source: string;
  /** WGSL put before the source: shared functions, a weight type's `weight4`. */
  include?: string[];
  writes: string[];
  overrides?: Record<string, number>;
  readonly grid: (params: Params, overrides: Readonly<Record<string, number>>) => Grid;
}

const BINDING = /@group\(0\)\s*@binding\((\d+)\)\s*var<(uniform|storage)(?:,\s*(read|read_write))?>\s*(\w+)\s*:/g;
const MAX_STORAGE_BUFFERS = 8; // WebGPU's default for a stage: the base path needs no more

function parseParams(name: string, source: string): KernelParam[] {
  const body = /struct Params\s*\{([^}]*)\}/.exec(source)?.[1];
  if (body === undefined) return [];
  const fields = body
    .replace(/\/\/.*$/gm, '')
    .split(',')
    .map((field) => field.trim())
    .filter(Boolean);
  return fields.map((field) => {
    const match = /^(\w+)\s*:\s*(u32|i32|f32)$/.exec(field);
    invariant(match, `kernel ${name}: Params may hold only u32, i32 and f32 fields, found "${field}"`);
    return { name: match[1], type: match[2] as KernelParam['type'] };
  });
}

export function defineKernel(description: KernelDescription): Kernel {
  const { name } = description;
  const source = [...(description.include ?? []), description.source].join('\n');
  const bindings: KernelBinding[] = [];
  let hasParams = false;
  for (const [, index, space, access, variable] of source.matchAll(BINDING)) {
    if (space === 'uniform') {
      invariant(index === '0', `kernel ${name}: the uniform is binding 0`);
      hasParams = true;
    } else {
      bindings.push({ name: variable, index: Number(index), access: (access ?? 'read') as Access });
    }
  }
  invariant(bindings.length <= MAX_STORAGE_BUFFERS, `kernel ${name}: ${bindings.length} storage buffers, at most ${MAX_STORAGE_BUFFERS}`);
  const writes = new Set(description.writes);
  for (const written of writes) {
    const binding = bindings.find((b) => b.name === written);
    invariant(binding?.access === 'read_write', `kernel ${name}: ${written} is written but not declared read_write`);
  }
  const params = parseParams(name, source);
  invariant(hasParams === params.length > 0, `kernel ${name}: struct Params and the uniform binding go together`);
  return { name, source, bindings, params, hasParams, writes, overrides: description.overrides ?? {}, grid: description.grid };
}

export function pipelineKey(kernel: Kernel, overrides: Record<string, number>): string {
  const entries = Object.entries(overrides).sort(([a], [b]) => (a < b ? -1 : 1));
  return [kernel.name, ...entries.map(([name, value]) => `${name}=${value}`)].join(' ');
}

/** Writes `params` in the order of `struct Params`. @throws AppError `internal` when names differ. */
export function packParams(kernel: Kernel, params: Params, into: DataView, offset: number): void {
  const names = Object.keys(params);
  invariant(
    names.length === kernel.params.length && kernel.params.every((param) => params[param.name] !== undefined),
    `kernel ${kernel.name}: parameters ${kernel.params.map((p) => p.name).join()} were expected, ${names.join()} were given`,
  );
  for (const [i, { name, type }] of kernel.params.entries()) {
    const value = params[name];
    if (type === 'f32') into.setFloat32(offset + 4 * i, value, true);
    else if (type === 'i32') into.setInt32(offset + 4 * i, value, true);
    else into.setUint32(offset + 4 * i, value, true);
  }
}

/**
 * A grid for `count` workgroups in a row. Past 65,535 it becomes two-dimensional: such a kernel takes
 * `workgroup_id.y * num_workgroups.x + workgroup_id.x` as its index, and checks it against its own count.
 */
export function linearGrid(count: number): Grid {
  const limit = 65535;
  if (count <= limit) return [Math.max(1, count), 1, 1];
  const y = Math.ceil(count / limit);
  return [Math.ceil(count / y), y, 1];
}

export function ceilDivide(a: number, b: number): number {
  return Math.ceil(a / b);
}
