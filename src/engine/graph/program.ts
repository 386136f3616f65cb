/** A planned recording made ready to replay: pipelines, bind groups and dispatch sizes, made once. */
import { invariant } from '#base/errors.ts';
import { type Gpu, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import { packParams } from '#engine/gpu/kernel.ts';
import type { Plan } from '#engine/graph/plan.ts';
import type { Dispatch } from '#engine/graph/recorder.ts';
import type { View } from '#engine/graph/tensor.ts';

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly dispatch: Dispatch;
}

/** The arenas that several recordings share: they never run at the same time. */
export class Arena {
  readonly buffers: OwnedBuffer[];

  constructor(gpu: Gpu, plans: readonly Plan[], label: string) {
    const count = Math.max(0, ...plans.map((plan) => plan.arenas.length));
    this.buffers = Array.from({ length: count }, (_, i) =>
      gpu.createBuffer('activations', `${label} ${i}`, arenaBytes(plans, i), USAGE.storage | USAGE.copySrc | USAGE.copyDst),
    );
  }

  destroy(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}

function arenaBytes(plans: readonly Plan[], index: number): number {
  return Math.max(...plans.map((plan) => plan.arenas[index] ?? 0));
}

/** Bytes that `new Arena` allocates for these plans. */
export function arenaSizeBytes(plans: readonly Plan[]): number {
  const count = Math.max(0, ...plans.map((plan) => plan.arenas.length));
  return Array.from({ length: count }, (_, i) => arenaBytes(plans, i)).reduce((sum, bytes) => sum + bytes, 0);
}

const UNIFORM_SLOT = 256;

/** Distinct parameter blocks of a plan; each takes a slot of 256 bytes. */
function packUniforms(dispatches: readonly Dispatch[]): { bytes: Uint8Array; slots: number[] } {
  const known = new Map<string, number>();
  const blocks: Uint8Array[] = [];
  const slots = dispatches.map((dispatch) => {
    const block = new Uint8Array(UNIFORM_SLOT);
    packParams(dispatch.kernel, dispatch.params, new DataView(block.buffer), 0);
    const key = block.toString();
    let slot = known.get(key);
    if (slot === undefined) {
      slot = blocks.push(block) - 1;
      known.set(key, slot);
    }
    return slot;
  });
  const bytes = new Uint8Array(Math.max(1, blocks.length) * UNIFORM_SLOT);
  for (const [i, block] of blocks.entries()) bytes.set(block, i * UNIFORM_SLOT);
  return { bytes, slots };
}

/** Bytes of the uniform buffer that `Program.compile` makes for this plan. */
export function uniformSizeBytes(plan: Plan): number {
  return packUniforms(plan.dispatches).bytes.byteLength;
}

export class Program {
  readonly plan: Plan;
  readonly #arena: Arena;
  readonly #commands: readonly Command[];
  readonly #uniforms: OwnedBuffer;

  private constructor(plan: Plan, arena: Arena, commands: readonly Command[], uniforms: OwnedBuffer) {
    this.plan = plan;
    this.#arena = arena;
    this.#commands = commands;
    this.#uniforms = uniforms;
  }

  /** Compiles every pipeline (in parallel) and makes every bind group. Regions must have their buffers. */
  static async compile(gpu: Gpu, plan: Plan, arena: Arena, label: string): Promise<Program> {
    const { bytes, slots } = packUniforms(plan.dispatches);
    const uniforms = gpu.createBuffer('uniforms', `${label} parameters`, bytes.byteLength, USAGE.uniform | USAGE.copyDst);
    gpu.device.queue.writeBuffer(uniforms.buffer, 0, bytes as Uint8Array<ArrayBuffer>);
    let pipelines: GPUComputePipeline[];
    try {
      pipelines = await Promise.all(plan.dispatches.map((dispatch) => gpu.pipeline(dispatch.kernel, dispatch.overrides)));
    } catch (error) {
      uniforms.destroy();
      throw error;
    }
    const commands = plan.dispatches.map((dispatch, i): Command => {
      const entries: GPUBindGroupEntry[] = dispatch.bindings.map((view, j) => ({
        binding: dispatch.kernel.bindings[j]?.index ?? 0,
        resource: bindingOf(plan, arena, view),
      }));
      if (dispatch.kernel.hasParams) {
        entries.push({ binding: 0, resource: { buffer: uniforms.buffer, offset: (slots[i] ?? 0) * UNIFORM_SLOT, size: UNIFORM_SLOT } });
      }
      const bindGroup = gpu.createBindGroup({ label: dispatch.label, layout: gpu.layoutOf(dispatch.kernel), entries });
      return { pipeline: pipelines[i], bindGroup, dispatch };
    });
    return new Program(plan, arena, commands, uniforms);
  }

  get length(): number {
    return this.#commands.length;
  }

  work(index: number): number {
    return this.#commands[index]?.dispatch.work ?? 0;
  }

  /** Whether a batch with this many loss rows needs the dispatch. */
  isNeeded(index: number, lossRows: number): boolean {
    return lossRows > (this.#commands[index]?.dispatch.minLossRows ?? -1);
  }

  /** Encodes the needed dispatches of `[start, end)`. */
  encode(pass: GPUComputePassEncoder, start: number, end: number, lossRows: number): void {
    for (let i = start; i < end; i++) {
      const { pipeline, bindGroup, dispatch } = this.#commands[i];
      if (lossRows <= dispatch.minLossRows) continue;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...dispatch.grid);
    }
  }

  /** Where a tensor lies: for read-back. */
  locate(view: View): { buffer: GPUBuffer; offset: number; size: number } {
    return bindingOf(this.plan, this.#arena, view);
  }

  destroy(): void {
    this.#uniforms.destroy();
  }
}

function bindingOf(plan: Plan, arena: Arena, view: View): { buffer: GPUBuffer; offset: number; size: number } {
  const { tensor } = view;
  if (tensor.region) {
    invariant(tensor.region.buffer, `region ${tensor.region.name} has no buffer yet`);
    return { buffer: tensor.region.buffer, offset: tensor.offset + view.offset, size: view.sizeBytes };
  }
  const place = plan.placements.get(tensor);
  invariant(place, `${tensor.name} was not placed`);
  const owned = arena.buffers[place.arena];
  invariant(owned, `arena ${place.arena} is missing`);
  const reachesEnd = view.offset + view.sizeBytes === tensor.sizeBytes;
  return { buffer: owned.buffer, offset: place.offset + view.offset, size: view.sizeBytes + (reachesEnd ? plan.guardBytes : 0) };
}
