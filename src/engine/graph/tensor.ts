/** What a recording computes with: tensors in a planned arena or in regions that outlive a step. Knows no kernels. */
import { invariant } from '#base/errors.ts';
import type { Purpose } from '#engine/gpu/ledger.ts';

/** A stretch of GPU memory that outlives a step: weights, parameters, a batch. Its buffer comes after planning. */
export interface Region {
  readonly name: string;
  readonly purpose: Purpose;
  readonly sizeBytes: number;
  buffer: GPUBuffer | null;
}

export function region(name: string, purpose: Purpose, sizeBytes: number): Region {
  invariant(sizeBytes > 0 && sizeBytes % 4 === 0, `region ${name}: ${sizeBytes} bytes are not a positive multiple of 4`);
  return { name, purpose, sizeBytes, buffer: null };
}

/** A contiguous row-major tensor of 4-byte elements. Without a region it lives in the arena, where the planner puts it. */
export interface Tensor {
  readonly id: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly sizeBytes: number;
  readonly region: Region | null;
  /** Bytes from the region's start; 0 in the arena. */
  readonly offset: number;
  /** A gradient is wanted: it is a parameter, or depends on one. */
  needsGrad: boolean;
  /** Where a parameter's gradient is accumulated; null for everything else. */
  readonly gradient: Tensor | null;
}

/** A byte range of a tensor, as a kernel binds it. */
export interface View {
  readonly tensor: Tensor;
  readonly offset: number;
  readonly sizeBytes: number;
}

let nextId = 1;

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function makeTensor(name: string, shape: readonly number[], place: Region | null, offset: number, gradient: Tensor | null): Tensor {
  invariant(shape.length > 0 && shape.every((size) => Number.isSafeInteger(size) && size > 0), `tensor ${name}: shape [${shape.join()}]`);
  const sizeBytes = elementCount(shape) * 4;
  if (place) invariant(offset % 256 === 0 && offset + sizeBytes <= place.sizeBytes, `tensor ${name} is not inside region ${place.name}`);
  return { id: nextId++, name, shape, sizeBytes, region: place, offset, needsGrad: gradient !== null, gradient };
}

/** A tensor that the planner places. */
export function arenaTensor(name: string, shape: readonly number[]): Tensor {
  return makeTensor(name, shape, null, 0, null);
}

/** A tensor at `offset` bytes of a region, a multiple of 256. */
export function regionTensor(name: string, shape: readonly number[], place: Region, offset = 0): Tensor {
  return makeTensor(name, shape, place, offset, null);
}

/** A trainable tensor: its value and the tensor in which its gradient accumulates. */
export function parameterTensor(name: string, shape: readonly number[], value: Region, gradient: Region, offset: number): Tensor {
  const grad = makeTensor(`${name}.gradient`, shape, gradient, offset, null);
  return makeTensor(name, shape, value, offset, grad);
}

export function whole(tensor: Tensor): View {
  return { tensor, offset: 0, sizeBytes: tensor.sizeBytes };
}

/** Rows `[start, end)` of the first axis. */
export function rowsOf(tensor: Tensor, start: number, end: number): View {
  const rows = tensor.shape[0];
  invariant(start >= 0 && end > start && end <= rows, `rows ${start} to ${end} of ${tensor.name}, which has ${rows}`);
  const rowBytes = tensor.sizeBytes / rows;
  return { tensor, offset: start * rowBytes, sizeBytes: (end - start) * rowBytes };
}

/** A shape as users read it. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}
