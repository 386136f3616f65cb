/** The step in this project's engine, through the same classes that a run uses. */
import { invariant } from '#base/errors.ts';
import { type PackedStep, packStep } from '#data/packing.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import { Profiler } from '#engine/gpu/profiler.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { Arena, Program } from '#engine/graph/program.ts';
import { fromPeftTensors, layoutLora, toPeftTensors } from '#engine/methods/lora.ts';
import { ResidentModel, describeModel } from '#engine/models/model.ts';
import { planTraining } from '#engine/train/training-plan.ts';
import { Training } from '#engine/train/training.ts';
import { type NamedValues, SHAPE, type StepCase, checkpointOf } from './case.ts';

/** What both engines must agree on before they are timed. */
export interface Agreement {
  lossNats: number;
  gradientNorm: number;
  /** By PEFT's names. */
  gradients: Map<string, NamedValues>;
}

/** Time of the dispatches of one kernel, summed over a step. */
export interface KernelTime {
  kernel: string;
  dispatches: number;
  ms: number;
  /** Multiply-adds that the dispatches were recorded with. */
  work: number;
}

export class OurStep {
  readonly #gpu: Gpu;
  readonly #training: Training;
  readonly #packed: PackedStep;
  #step = 0;

  private constructor(gpu: Gpu, training: Training, packed: PackedStep) {
    this.#gpu = gpu;
    this.#training = training;
    this.#packed = packed;
  }

  static async create(gpu: Gpu, made: StepCase): Promise<OurStep> {
    const { rows, rowTokens, rank, loraScale } = SHAPE;
    const checkpoint = checkpointOf(made);
    const model = describeModel(checkpoint, gpu.limits);
    await ResidentModel.upload(gpu, checkpoint, model);
    const layout = layoutLora(model, { r: rank, loraAlpha: rank * loraScale, loraDropout: 0, targetModules: 'all-linear' });
    const plan = planTraining(
      model,
      layout,
      {
        capacities: [rows * rowTokens],
        recompute: 'none',
        optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
        maxGradNorm: 1,
      },
      gpu.limits,
    );
    const training = await Training.create(gpu, new SubmitQueue(gpu), plan);
    training.writeState({ adapter: fromPeftTensors(layout, made.adapter) });
    const packed = packStep(made.rows, plan.options.capacities);
    invariant(packed.batches.length === 1, 'the rows make one micro-batch');
    return new OurStep(gpu, training, packed);
  }

  get dispatches(): number {
    return this.#training.dispatches;
  }

  /** Floating-point operations of the products as recorded, rows that pad the batch included: holds `countFlops` to the plan. */
  get recordedFlops(): number {
    const { dispatches } = this.#training.plan.train[0].plan;
    return dispatches.filter(({ kernel }) => kernel.name.startsWith('matmul')).reduce((sum, { work }) => sum + 2 * work, 0);
  }

  get planBytes(): number {
    return totalBytes(this.#training.plan.bytes);
  }

  get peakBytes(): number {
    return this.#gpu.ledger.peakBytes;
  }

  /** Loss and gradients at the adapter as it is, without an update. */
  async agreement(): Promise<Agreement> {
    const { batches, lossTokens } = this.#packed;
    const { lossNats } = await this.#training.gradients(batches, lossTokens);
    const flat = await this.#training.readGradients();
    const gradients = new Map(toPeftTensors(this.#training.plan.layout, flat).map(({ name, shape, data }) => [name, { shape, data }]));
    return { lossNats, gradientNorm: Math.sqrt(flat.reduce((sum, g) => sum + g * g, 0)), gradients };
  }

  /** One optimizer step, until its loss has come back. Milliseconds. */
  async step(): Promise<number> {
    const { batches, lossTokens } = this.#packed;
    const startedAt = performance.now();
    const { result } = await this.#training.step({
      batches,
      lossTokens,
      learningRate: SHAPE.learningRate,
      step: this.#step++,
      seed: 0,
    });
    const { isFinite } = await result;
    invariant(isFinite, 'the gradient is finite');
    return performance.now() - startedAt;
  }

  /** Milliseconds by kernel, each the least of `rounds` runs, over forward, backward and update. The batch of the last step is used. */
  async profile(rounds: number): Promise<KernelTime[]> {
    const { train, update } = this.#training.plan;
    const plans = [...train.map(({ plan }) => plan), update];
    const profiler = new Profiler(this.#gpu, Math.max(...plans.map(({ dispatches }) => dispatches.length)));
    const lossRows = this.#packed.batches[0].lossRowCount;
    const byKernel = new Map<string, KernelTime>();
    for (const plan of plans) {
      const arena = new Arena(this.#gpu, [plan], 'profile');
      const program = await Program.compile(this.#gpu, plan, arena, 'profile');
      const least = new Float64Array(program.length).fill(Infinity);
      for (let round = 0; round < rounds; round++) {
        const times = await profiler.measure(program, lossRows);
        for (const [i, ms] of times.entries()) least[i] = Math.min(least[i], ms);
      }
      for (const [i, { kernel, work }] of plan.dispatches.entries()) {
        const entry = byKernel.get(kernel.name) ?? { kernel: kernel.name, dispatches: 0, ms: 0, work: 0 };
        byKernel.set(kernel.name, { ...entry, dispatches: entry.dispatches + 1, ms: entry.ms + least[i], work: entry.work + work });
      }
      program.destroy();
      arena.destroy();
    }
    profiler.destroy();
    return [...byKernel.values()].sort((a, b) => b.ms - a.ms);
  }
}
