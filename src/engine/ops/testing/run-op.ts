/** Runs a recorded op on the GPU with given inputs and output gradients; checks that nothing is touched past a tensor's end. */
import { AppError, invariant } from '#base/errors.ts';
import { type Gpu, MAP_READ, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import { planArena } from '#engine/graph/plan.ts';
import { Arena, Program } from '#engine/graph/program.ts';
import { Recorder } from '#engine/graph/recorder.ts';
import { type Region, type Tensor, elementCount, parameterTensor, region, regionTensor, whole } from '#engine/graph/tensor.ts';
import { regionsOf, type WeightMatrix } from '#engine/ops/weights/weight-matrix.ts';

export type Values = Float32Array | Uint32Array;

export interface OpInput {
  shape: number[];
  data: Values;
  /** `activation`: its gradient is read back; `parameter`: likewise, accumulated as a parameter's; none: no gradient. */
  gradient?: 'activation' | 'parameter';
}

export interface OpRun {
  inputs: Record<string, OpInput>;
  /** Frozen matrices whose planes are given in the order of `regionsOf`. */
  weights?: { matrix: WeightMatrix; planes: Uint8Array[] }[];
  /** Records the op over the inputs and returns what is read back. */
  build(r: Recorder, inputs: Record<string, Tensor>): Record<string, Tensor>;
  /** Gradients of outputs by name; without them no backward pass is recorded. */
  outputGradients?: Record<string, Float32Array>;
  recompute?: boolean;
  /** Loss rows of the batch: dispatches that need more are not encoded. */
  lossRows?: number;
  /** Runs the whole program this many times in a row; results must be equal bit for bit. Default 2. */
  times?: number;
}

export interface OpResult {
  outputs: Record<string, Float32Array>;
  gradients: Record<string, Float32Array>;
}

const GUARD_BYTES = 256;
/** A quiet NaN with a mark in it: whatever reads it shows, whatever overwrites it is found. */
const GUARD_WORD = 0x7fc0beef;

function uploadRegion(gpu: Gpu, place: Region, bytes: ArrayBufferView, owned: OwnedBuffer[]): void {
  const padded = new Uint32Array(Math.ceil(place.sizeBytes / 4) + GUARD_BYTES / 4).fill(GUARD_WORD);
  new Uint8Array(padded.buffer).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const buffer = gpu.createBuffer('scratch', place.name, padded.byteLength, USAGE.storage | USAGE.copySrc | USAGE.copyDst);
  gpu.device.queue.writeBuffer(buffer.buffer, 0, padded);
  place.buffer = buffer.buffer;
  owned.push(buffer);
}

/** Reads a range of a buffer back. */
export async function readBuffer(gpu: Gpu, buffer: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
  const staging = gpu.createBuffer('readback', 'readback', size, USAGE.mapRead | USAGE.copyDst);
  const encoder = gpu.device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging.buffer, 0, size);
  gpu.device.queue.submit([encoder.finish()]);
  await staging.buffer.mapAsync(MAP_READ);
  const bytes = staging.buffer.getMappedRange().slice(0);
  staging.buffer.unmap();
  staging.destroy();
  return bytes;
}

/** @throws AppError when the device reports an error, when a margin was written, or when a second run gives other bits. */
export async function runOp(gpu: Gpu, run: OpRun): Promise<OpResult> {
  const owned: OwnedBuffer[] = [];
  const r = new Recorder(gpu.limits);
  const inputs: Record<string, Tensor> = {};
  const data = new Map<Region, ArrayBufferView>();
  for (const [name, { shape, data: values, gradient }] of Object.entries(run.inputs)) {
    invariant(values.length === elementCount(shape), `${name}: ${values.length} values for shape ${shape.join('x')}`);
    const place = region(name, 'scratch', values.byteLength);
    data.set(place, values);
    if (gradient === 'parameter') {
      const gradientRegion = region(`${name}.gradient`, 'gradients', values.byteLength);
      data.set(gradientRegion, new Float32Array(values.length));
      inputs[name] = parameterTensor(name, shape, place, gradientRegion, 0);
    } else {
      const tensor = regionTensor(name, shape, place);
      tensor.needsGrad = gradient === 'activation';
      inputs[name] = tensor;
    }
  }
  for (const { matrix, planes } of run.weights ?? []) {
    for (const [i, place] of regionsOf(matrix).entries()) data.set(place, planes[i]);
  }
  const outputs = run.build(r, inputs);
  for (const tensor of Object.values(outputs)) r.output(tensor);
  if (run.outputGradients) {
    const seeds = Object.entries(run.outputGradients).map(([name, values]) => {
      const output = outputs[name];
      invariant(output, `no output ${name}`);
      const place = region(`d${name}`, 'scratch', values.byteLength);
      data.set(place, values);
      return { output, gradient: regionTensor(`d${name}`, output.shape, place) };
    });
    r.root(
      seeds.map((seed) => seed.output),
      () => {
        for (const { output, gradient } of seeds) r.contribute(output, { tensor: gradient, owned: false });
      },
    );
    r.backward(() => run.recompute === true);
  }
  const gradients: Record<string, Tensor> = {};
  for (const [name, input] of Object.entries(run.inputs)) {
    if (!run.outputGradients || !input.gradient) continue;
    const tensor = inputs[name];
    const gradient = tensor.gradient ?? r.gradientOf(tensor);
    invariant(gradient, `no gradient of ${name} was recorded`);
    gradients[name] = gradient.region ? gradient : r.output(gradient);
  }
  const plan = planArena(r, gpu.limits, { guardBytes: GUARD_BYTES });
  const arena = new Arena(gpu, [plan], 'test');
  try {
    return await gpu.checked('op test', async () => {
      for (const [place, values] of data) uploadRegion(gpu, place, values, owned);
      const program = await Program.compile(gpu, plan, arena, 'test');
      let first: OpResult | null = null;
      for (let time = 0; time < (run.times ?? 2); time++) {
        fillArena(gpu, arena, plan.arenas);
        const encoder = gpu.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        program.encode(pass, 0, program.length, run.lossRows ?? Infinity);
        pass.end();
        gpu.device.queue.submit([encoder.finish()]);
        const result = {
          outputs: await readAll(gpu, program, outputs),
          gradients: await readAll(gpu, program, gradients),
        };
        await checkGuards(gpu, program, arena);
        if (first) compareBits(first, result);
        first ??= result;
      }
      program.destroy();
      gpu.throwIfFailed();
      return first as OpResult;
    });
  } finally {
    arena.destroy();
    for (const buffer of owned) buffer.destroy();
  }
}

function fillArena(gpu: Gpu, arena: Arena, sizes: readonly number[]): void {
  for (const [i, { buffer }] of arena.buffers.entries()) {
    gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array(sizes[i] / 4).fill(GUARD_WORD));
  }
}

async function readAll(gpu: Gpu, program: Program, tensors: Record<string, Tensor>): Promise<Record<string, Float32Array>> {
  const values: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const { buffer, offset } = program.locate(whole(tensor));
    values[name] = new Float32Array(await readBuffer(gpu, buffer, offset, tensor.sizeBytes));
  }
  return values;
}

async function checkGuards(gpu: Gpu, program: Program, arena: Arena): Promise<void> {
  const words: Uint32Array[] = [];
  for (const { buffer } of arena.buffers) words.push(new Uint32Array(await readBuffer(gpu, buffer, 0, buffer.size)));
  for (const [tensor, { arena: index, offset }] of program.plan.placements) {
    const start = (offset + tensor.sizeBytes) / 4;
    const margin = words[index].subarray(start, start + GUARD_BYTES / 4);
    const at = margin.findIndex((word) => word !== GUARD_WORD);
    if (at >= 0) throw new AppError('internal', `${tensor.name} was written ${at} elements past its end`, { tensor: tensor.name });
  }
}

function compareBits(first: OpResult, second: OpResult): void {
  for (const kind of ['outputs', 'gradients'] as const) {
    for (const [name, values] of Object.entries(first[kind])) {
      const a = new Uint32Array(values.buffer);
      const b = new Uint32Array(second[kind][name].buffer);
      const at = a.findIndex((word, i) => word !== b[i]);
      if (at >= 0) throw new AppError('internal', `${kind} ${name}[${at}]: a second run gave other bits`);
    }
  }
}
