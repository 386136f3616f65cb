/** A training step on the device: everything is allocated and compiled once, then a step only writes a batch and replays. */
import { AppError, invariant } from '#base/errors.ts';
import type { Batch } from '#data/batch.ts';
import { type Gpu, MAP_READ, type ObjectCounts, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { Arena, Program } from '#engine/graph/program.ts';
import type { Region } from '#engine/graph/tensor.ts';
import { type BatchHeader, HEADER_WORDS, batchSizeBytes, writeBatch, writeHeader } from '#engine/ops/batch/batch-layout.ts';
import { CLIP_OFFSET, READBACK_SLOTS, type Recording, STATISTICS_BYTES, type TrainingPlan } from '#engine/train/training-plan.ts';

/** What one optimizer step computes with. */
export interface StepInput {
  /** Micro-batches, each of one of the plan's capacities. */
  batches: readonly Batch[];
  /** The step's loss tokens (the sum of its loss weights): the loss's denominator. */
  lossTokens: number;
  learningRate: number;
  /** Steps done before, from 0: AdamW's bias correction and the dropout masks depend on it. */
  step: number;
  seed: number;
}

/** What a step or an evaluation found, in nats and counts. */
export interface StepResult {
  /** Mean loss over the loss tokens, in nats. */
  lossNats: number;
  lossTokens: number;
  /** Loss tokens whose target had the highest logit. */
  correctTokens: number;
  gradientNorm: number;
  /** False: the gradient had an infinity or NaN, and the update did nothing. */
  isFinite: boolean;
}

interface Compiled {
  readonly capacity: number;
  readonly program: Program;
}

interface ReadbackSlot {
  readonly owned: OwnedBuffer;
  busy: Promise<void>;
}

/** Optimizer and adapter state, as bytes go to a checkpoint. */
export interface TrainingState {
  adapter: Float32Array;
  first: Float32Array;
  second: Float32Array;
}

export class Training {
  readonly plan: TrainingPlan;
  readonly #gpu: Gpu;
  readonly #queue: SubmitQueue;
  readonly #owned: readonly { destroy(): void }[];
  readonly #train: readonly Compiled[];
  readonly #evaluate: readonly Compiled[];
  readonly #update: Program;
  readonly #slots: readonly ReadbackSlot[];
  readonly #staging: OwnedBuffer;
  #downloads: Promise<unknown> = Promise.resolve();
  readonly #batchBytes: ArrayBuffer;
  #nextSlot = 0;

  private constructor(
    gpu: Gpu,
    queue: SubmitQueue,
    plan: TrainingPlan,
    parts: {
      owned: { destroy(): void }[];
      train: Compiled[];
      evaluate: Compiled[];
      update: Program;
      slots: ReadbackSlot[];
      staging: OwnedBuffer;
    },
  ) {
    this.#gpu = gpu;
    this.#queue = queue;
    this.plan = plan;
    this.#owned = parts.owned;
    this.#train = parts.train;
    this.#evaluate = parts.evaluate;
    this.#update = parts.update;
    this.#slots = parts.slots;
    this.#staging = parts.staging;
    this.#batchBytes = new ArrayBuffer(plan.regions.batch.sizeBytes);
  }

  /** Allocates and compiles all of a plan. @throws AppError `gpu/out-of-memory`; what was allocated is given back. */
  static async create(gpu: Gpu, queue: SubmitQueue, plan: TrainingPlan): Promise<Training> {
    const owned: { destroy(): void }[] = [];
    const own = <T extends { destroy(): void }>(made: T): T => {
      owned.push(made);
      return made;
    };
    const recordings = [...plan.train, ...plan.evaluate];
    try {
      return await gpu.checked('the training step', async () => {
        const { regions } = plan;
        for (const place of Object.values(regions)) own(allocate(gpu, place));
        gpu.device.queue.writeBuffer(regions.ropeTable.buffer as GPUBuffer, 0, plan.ropeValues as Float32Array<ArrayBuffer>);
        const plans = recordings.map((recording) => recording.plan);
        const arena = own(new Arena(gpu, plans, 'activations'));
        const updateArena = own(new Arena(gpu, [plan.update], 'update'));
        const slots = Array.from({ length: READBACK_SLOTS }, (_, i): ReadbackSlot => {
          const buffer = gpu.createBuffer('readback', `statistics ${i}`, STATISTICS_BYTES, USAGE.mapRead | USAGE.copyDst);
          return { owned: own(buffer), busy: Promise.resolve() };
        });
        const staging = own(gpu.createBuffer('readback', 'adapter read-back', plan.layout.sizeBytes, USAGE.mapRead | USAGE.copyDst));
        const compile = async (list: readonly Recording[], label: string): Promise<Compiled[]> => {
          const compiled: Compiled[] = [];
          for (const { capacity, plan: of } of list) {
            compiled.push({ capacity, program: own(await Program.compile(gpu, of, arena, `${label} ${capacity}`)) });
          }
          return compiled;
        };
        const train = await compile(plan.train, 'train');
        const evaluate = await compile(plan.evaluate, 'evaluate');
        const update = own(await Program.compile(gpu, plan.update, updateArena, 'update'));
        return new Training(gpu, queue, plan, { owned, train, evaluate, update, slots, staging });
      });
    } catch (error) {
      for (const made of owned) made.destroy();
      throw error;
    }
  }

  /** Objects made so far on the device: a step must not change them. */
  get objectCounts(): ObjectCounts {
    return { ...this.#gpu.counts };
  }

  /** Dispatches of a step of one micro-batch at the largest capacity, the update included. */
  get dispatches(): number {
    return (this.#train.at(-1)?.program.length ?? 0) + this.#update.length;
  }

  /**
   * One optimizer step. Resolves when it is submitted; `result` when its numbers are back, which may be several steps later:
   * do not wait for it between steps.
   */
  async step(input: StepInput): Promise<{ result: Promise<StepResult> }> {
    const { beta1, beta2 } = this.plan.options.optimizer;
    const header = this.#header(input.lossTokens, {
      learningRate: input.learningRate,
      firstCorrection: 1 / (1 - beta1 ** (input.step + 1)),
      secondCorrection: 1 / (1 - beta2 ** (input.step + 1)),
    });
    for (const [microBatch, batch] of input.batches.entries()) {
      const dropoutKey =
        (Math.imul(input.seed + 1, 0x9e3779b1) ^ Math.imul(input.step + 1, 0x85ebca6b) ^ Math.imul(microBatch + 1, 0xc2b2ae35)) >>> 0;
      await this.#replayBatch(this.#train, batch, { ...header, microBatch, dropoutKey });
    }
    writeHeader(header, this.#batchBytes);
    this.#writeBatchBytes(HEADER_WORDS * 4);
    const slot = await this.#takeSlot();
    await this.#queue.replay(this.#update, 0, this.#copyStatistics(slot));
    return { result: this.#read(slot, input.lossTokens) };
  }

  /** Loss over batches without a gradient and without an update. Waits for the numbers. */
  async evaluate(batches: readonly Batch[], lossTokens: number): Promise<StepResult> {
    const header = this.#header(lossTokens, { learningRate: 0, firstCorrection: 1, secondCorrection: 1 });
    for (const [microBatch, batch] of batches.entries()) await this.#replayBatch(this.#evaluate, batch, { ...header, microBatch });
    return this.#readNow(lossTokens);
  }

  /** Forward and backward of one step without the update: gradients stay where `readGradients` finds them. */
  async gradients(batches: readonly Batch[], lossTokens: number): Promise<StepResult> {
    const header = this.#header(lossTokens, { learningRate: 0, firstCorrection: 1, secondCorrection: 1 });
    for (const [microBatch, batch] of batches.entries()) await this.#replayBatch(this.#train, batch, { ...header, microBatch });
    return this.#readNow(lossTokens);
  }

  readGradients(): Promise<Float32Array> {
    return this.#download(this.plan.regions.gradients);
  }

  readAdapter(): Promise<Float32Array> {
    return this.#download(this.plan.regions.values);
  }

  async readState(): Promise<TrainingState> {
    const { values, first, second } = this.plan.regions;
    return { adapter: await this.#download(values), first: await this.#download(first), second: await this.#download(second) };
  }

  writeState(state: Partial<TrainingState>): void {
    const { values, first, second } = this.plan.regions;
    const zeros = () => new Float32Array(values.sizeBytes / 4);
    this.#upload(first, state.first ?? zeros());
    this.#upload(second, state.second ?? zeros());
    if (state.adapter) this.#upload(values, state.adapter);
  }

  /** Another adapter, the optimizer's state left as it is. */
  writeAdapter(adapter: Float32Array): void {
    this.#upload(this.plan.regions.values, adapter);
  }

  /** Copies the adapter as it is now into another buffer of the same size: chat reads such a snapshot. */
  async snapshotAdapter(target: GPUBuffer): Promise<void> {
    const { values } = this.plan.regions;
    await this.#queue.copy((encoder) => encoder.copyBufferToBuffer(bufferOf(values), 0, target, 0, values.sizeBytes));
  }

  destroy(): void {
    for (const made of this.#owned) made.destroy();
  }

  #header(lossTokens: number, rates: Pick<BatchHeader, 'learningRate' | 'firstCorrection' | 'secondCorrection'>): BatchHeader {
    if (!(lossTokens > 0)) throw new AppError('data/no-loss', 'a step has no token that carries loss');
    return { tokenCount: 0, lossRowCount: 0, microBatch: 0, dropoutKey: 0, inverseLossTokens: 1 / lossTokens, ...rates };
  }

  async #replayBatch(programs: readonly Compiled[], batch: Batch, header: BatchHeader): Promise<void> {
    const compiled = programs.find(({ capacity }) => capacity === batch.capacity);
    invariant(compiled, `no recording for a batch of ${batch.capacity} tokens`);
    // All of the former micro-batch is submitted by now, so the queue writes this one behind it.
    writeBatch(batch, { ...header, tokenCount: batch.tokenCount, lossRowCount: batch.lossRowCount }, this.#batchBytes);
    this.#writeBatchBytes(batchSizeBytes(batch.capacity));
    await this.#queue.replay(compiled.program, batch.lossRowCount);
  }

  #writeBatchBytes(sizeBytes: number): void {
    this.#gpu.device.queue.writeBuffer(bufferOf(this.plan.regions.batch), 0, this.#batchBytes, 0, sizeBytes);
  }

  /** The next slot of the ring; waits when all are still on their way back. */
  async #takeSlot(): Promise<ReadbackSlot> {
    const slot = this.#slots[this.#nextSlot];
    this.#nextSlot = (this.#nextSlot + 1) % this.#slots.length;
    await slot.busy;
    return slot;
  }

  #copyStatistics(slot: ReadbackSlot): (encoder: GPUCommandEncoder) => void {
    return (encoder) => encoder.copyBufferToBuffer(bufferOf(this.plan.regions.statistics), 0, slot.owned.buffer, 0, STATISTICS_BYTES);
  }

  async #readNow(lossTokens: number): Promise<StepResult> {
    const slot = await this.#takeSlot();
    await this.#queue.copy(this.#copyStatistics(slot));
    const result = await this.#read(slot, lossTokens);
    return { ...result, gradientNorm: 0, isFinite: Number.isFinite(result.lossNats) };
  }

  #read(slot: ReadbackSlot, lossTokens: number): Promise<StepResult> {
    const result = slot.owned.buffer.mapAsync(MAP_READ).then((): StepResult => {
      const words = new Float32Array(slot.owned.buffer.getMappedRange().slice(0));
      slot.owned.buffer.unmap();
      const clip = words.subarray(CLIP_OFFSET / 4);
      return {
        lossNats: words[0] / lossTokens,
        lossTokens,
        correctTokens: words[1],
        gradientNorm: clip[0],
        isFinite: clip[2] === 1,
      };
    });
    slot.busy = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  /** Reads one of the adapter's buffers back, through the one staging buffer, one after another. */
  #download(place: Region): Promise<Float32Array> {
    const turn = this.#downloads.then(async () => {
      const { buffer } = this.#staging;
      await this.#queue.copy((encoder) => encoder.copyBufferToBuffer(bufferOf(place), 0, buffer, 0, place.sizeBytes));
      await buffer.mapAsync(MAP_READ);
      const values = new Float32Array(buffer.getMappedRange().slice(0));
      buffer.unmap();
      return values;
    });
    this.#downloads = turn.catch(() => undefined);
    return turn;
  }

  #upload(place: Region, values: Float32Array): void {
    invariant(values.byteLength === place.sizeBytes, `${place.name}: ${values.byteLength} bytes, ${place.sizeBytes} were expected`);
    this.#gpu.device.queue.writeBuffer(bufferOf(place), 0, values as Float32Array<ArrayBuffer>);
  }
}

function bufferOf(place: Region): GPUBuffer {
  invariant(place.buffer, `${place.name} has no buffer`);
  return place.buffer;
}

function allocate(gpu: Gpu, place: Region): OwnedBuffer {
  const owned = gpu.createBuffer(place.purpose, place.name, place.sizeBytes, USAGE.storage | USAGE.copySrc | USAGE.copyDst);
  place.buffer = owned.buffer;
  return owned;
}
