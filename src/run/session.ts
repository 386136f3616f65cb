/** What the trainer worker does for the page: one device, one open model, one run, and answers by base and tuned. No postMessage here. */
import { blobSource } from '#base/bytes.ts';
import { AppError, invariant, toWire } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';
import { addBytes, totalBytes } from '#engine/gpu/ledger.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { type Model, ResidentModel, describeModel } from '#engine/models/model.ts';
import type {
  AnswerReport,
  DeviceSummary,
  GenerateParams,
  Generated,
  HeldOutRow,
  MemoryReport,
  ModelSummary,
  NamedBytes,
  NamedFile,
  PackedRows,
  PlanSummary,
  RunState,
  TrainerEvents,
} from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { adapterFiles } from '#run/adapter-files.ts';
import { Answering, type Answered, type AnsweringPlan, planAnswering } from '#run/answering.ts';
import { Chat } from '#run/chat.ts';
import { LoraRun, type RunPlan, planRun } from '#run/lora-run.ts';
import { MetricBatcher, RateMeter } from '#run/metrics.ts';
import { openModelFiles } from '#run/open-files.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export type Emit = <E extends keyof TrainerEvents>(event: E, data: TrainerEvents[E]) => void;

interface OpenModel {
  name: string;
  resident: ResidentModel;
  model: Model;
  tokenizer: Tokenizer;
}

interface ActiveRun {
  id: string;
  run: LoraRun;
  answering: Answering | null;
  abort: AbortController;
  isBusy: boolean;
}

/** Held-out rows are answered before, at the end, and this many times between. */
const ANSWERS_BETWEEN = 3;

export class Session {
  readonly #entry: GPU | undefined;
  readonly #emit: Emit;
  #gpu: Promise<Gpu> | null = null;
  #queue: SubmitQueue | null = null;
  #open: OpenModel | null = null;
  #active: ActiveRun | null = null;
  #chat: Chat | null = null;
  #opening: AbortController | null = null;
  #plannedBytes: MemoryReport['plan'] = {};
  #nextRun = 1;

  constructor(entry: GPU | undefined, emit: Emit) {
    this.#entry = entry;
    this.#emit = emit;
  }

  async openDevice(): Promise<DeviceSummary> {
    const { adapter, limits } = await this.#device();
    return { ...adapter, maxBindingBytes: limits.maxBindingBytes, maxBufferBytes: limits.maxBufferBytes };
  }

  /** The model that was open stays when the new one cannot be read; it goes once the new one's files have been checked. */
  async openModel(params: { name: string; files: NamedFile[] }): Promise<ModelSummary> {
    this.#refuseWhileBusy('another model is opened');
    const gpu = await this.#device();
    const files = new Map(params.files.map(({ path, file }) => [path, blobSource(path, file)]));
    const { checkpoint, tokenizer } = await openModelFiles(files);
    const model = describeModel(checkpoint, gpu.limits);
    this.#closeModel();
    const opening = new AbortController();
    this.#opening = opening;
    try {
      const meter = new RateMeter();
      const onProgress = ({ doneBytes, totalBytes: total }: { doneBytes: number; totalBytes: number }) =>
        this.#emit('progress', { what: params.name, unit: 'bytes', ...meter.at(doneBytes, total) });
      const resident = await ResidentModel.upload(gpu, checkpoint, model, onProgress, opening.signal);
      this.#open = { name: params.name, resident, model, tokenizer };
      this.#emit('state', { kind: 'idle' });
      return summaryOf(params.name, model);
    } finally {
      this.#opening = null;
    }
  }

  cancelOpening(): void {
    this.#opening?.abort();
  }

  async plan({
    recipe,
    rowLengths,
    heldOut = [],
  }: {
    recipe: Recipe;
    rowLengths: Uint32Array;
    heldOut?: HeldOutRow[];
  }): Promise<PlanSummary> {
    const gpu = await this.#device();
    const { model, tokenizer } = this.#requireModel();
    const runPlan = planRun(model, recipe, rowLengths, gpu);
    return summaryOfPlan(runPlan, heldOut.length > 0 ? planAnswering(gpu, model, runPlan.layout, heldOut, tokenizer) : null);
  }

  /** Plans and allocates; then the run goes on by itself and speaks through events. */
  async start(params: { recipe: Recipe; rows: PackedRows; heldOut: HeldOutRow[] }): Promise<{ runId: string; plan: PlanSummary }> {
    this.#refuseWhileBusy('a run is started');
    const { model, tokenizer } = this.#requireModel();
    const gpu = await this.#device();
    this.#closeRun();
    const sequences = unpackRows(params.rows);
    const runPlan = planRun(
      model,
      params.recipe,
      sequences.map(({ tokens }) => tokens.length),
      gpu,
    );
    const answeringPlan = params.heldOut.length > 0 ? planAnswering(gpu, model, runPlan.layout, params.heldOut, tokenizer) : null;
    this.#state({ kind: 'preparing', what: 'memory and kernels' });
    let run: LoraRun;
    try {
      run = await LoraRun.create(gpu, this.#submits(), runPlan, sequences);
    } catch (error) {
      this.#state({ kind: 'failed', step: 0, error: toWire(error) });
      throw error;
    }
    const active: ActiveRun = { id: `run-${this.#nextRun++}`, run, answering: null, abort: new AbortController(), isBusy: true };
    this.#active = active;
    const plan = summaryOfPlan(runPlan, answeringPlan);
    this.#plannedBytes = plan.bytes;
    void this.#run(active, answeringPlan).then(
      () => (active.isBusy = false),
      (error: unknown) => {
        active.isBusy = false;
        this.#state({ kind: 'failed', step: run.step, error: toWire(error) });
      },
    );
    return { runId: active.id, plan };
  }

  pause(): void {
    this.#active?.run.control.pause();
  }

  resume(): void {
    this.#active?.run.control.resume();
  }

  stop(): void {
    this.#active?.run.control.stop();
  }

  async memory(): Promise<MemoryReport> {
    const { ledger } = await this.#device();
    return {
      live: { ...ledger.live },
      plan: this.#plannedBytes,
      liveBytes: ledger.liveBytes,
      peakBytes: ledger.peakBytes,
      planBytes: Object.values(this.#plannedBytes).reduce((sum, bytes) => sum + bytes, 0),
    };
  }

  async generate(params: GenerateParams): Promise<Generated> {
    const { model, tokenizer } = this.#requireModel();
    const gpu = await this.#device();
    this.#chat ??= new Chat(gpu, this.#submits(), model, tokenizer);
    const active = this.#active;
    if (params.side === 'tuned' && !active) {
      throw new AppError('run/no-adapter', 'no adapter has been trained on this model yet');
    }
    const training = params.side === 'tuned' && active ? active.run.training : null;
    return this.#chat.generate(params, training, (text) => this.#emit('token', { id: params.id, text }));
  }

  stopGenerating({ id }: { id: number }): void {
    this.#chat?.stop(id);
  }

  async exportAdapter(): Promise<{ files: NamedBytes[]; step: number }> {
    const { name } = this.#requireModel();
    const active = this.#active;
    if (!active) throw new AppError('run/no-adapter', 'no adapter has been trained on this model yet');
    const files = adapterFiles(active.run.plan.layout, await active.run.training.readAdapter(), name);
    const bytes = Object.entries(files).map(([path, content]: [string, string | Uint8Array]): NamedBytes => ({
      path,
      bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content,
    }));
    return { files: bytes, step: active.run.step };
  }

  async #run(active: ActiveRun, answeringPlan: AnsweringPlan | null): Promise<void> {
    const { run, abort } = active;
    const { totalSteps } = run.plan.steps;
    const meter = new RateMeter();
    const batcher = new MetricBatcher((steps) => this.#emit('metrics', { runId: active.id, steps }));
    let secondsLeft: number | null = null;
    const training = (step: number): RunState => ({ kind: 'training', step, steps: totalSteps, secondsLeft });
    const answerAt = new Set(Array.from({ length: ANSWERS_BETWEEN }, (_, i) => Math.round((totalSteps * (i + 1)) / (ANSWERS_BETWEEN + 1))));
    if (answeringPlan) {
      const total = answeringPlan.rows.length;
      const onProgress = (done: number) => this.#state({ kind: 'answering', step: 0, steps: totalSteps, done, total });
      onProgress(0);
      active.answering = await Answering.create(
        await this.#device(),
        this.#submits(),
        answeringPlan,
        this.#requireModel().tokenizer,
        onProgress,
        abort.signal,
      );
      this.#emit('answers', reportOf(0, active.answering.atStart()));
    }
    const answer = async (step: number) => {
      const { answering } = active;
      if (!answering) return;
      const total = answering.plan.rows.length;
      const onProgress = (done: number) => this.#state({ kind: 'answering', step, steps: totalSteps, done, total });
      onProgress(0);
      this.#emit('answers', reportOf(step, await answering.answer(run.training, onProgress, abort.signal)));
    };
    this.#state(training(0));
    const steps = await run.train({
      onStep: (report) => {
        batcher.add(report);
        secondsLeft = meter.at(report.step, totalSteps).secondsLeft;
        if (batcher.isDue()) {
          batcher.flush();
          this.#state(training(report.step));
          void this.#reportMemory();
        }
      },
      onBoundary: async (step) => {
        if (step > 0 && step < totalSteps && answerAt.has(step)) await answer(step);
      },
      onPause: (step, why) => {
        batcher.flush();
        this.#state({ kind: 'paused', step, steps: totalSteps, why });
      },
      onResume: (step) => {
        meter.restart();
        this.#state(training(step));
      },
    });
    batcher.flush();
    if (steps > 0) await answer(steps);
    await this.#reportMemory();
    this.#state({ kind: 'done', step: steps, steps: totalSteps, wasStopped: steps < totalSteps });
  }

  async #reportMemory(): Promise<void> {
    this.#emit('memory', await this.memory());
  }

  #state(state: RunState): void {
    this.#emit('state', state);
  }

  #device(): Promise<Gpu> {
    if (!this.#entry) {
      throw new AppError('gpu/no-webgpu', 'this browser offers no WebGPU to the page');
    }
    this.#gpu ??= openGpu(this.#entry, { powerPreference: 'high-performance' }).then((gpu) => {
      this.#queue = new SubmitQueue(gpu);
      void gpu.lost.then((reason) => this.#onLost(reason));
      return gpu;
    });
    return this.#gpu;
  }

  #submits(): SubmitQueue {
    invariant(this.#queue, 'the device is not open');
    return this.#queue;
  }

  #onLost(reason: string): void {
    this.#active?.run.control.stop();
    this.#active?.abort.abort();
    this.#active = null;
    this.#open = null;
    this.#chat = null;
    this.#gpu = null;
    this.#queue = null;
    this.#emit('deviceLost', { reason });
  }

  #requireModel(): OpenModel {
    if (!this.#open) throw new AppError('run/no-model', 'no model is open');
    return this.#open;
  }

  #refuseWhileBusy(what: string): void {
    if (this.#active?.isBusy) throw new AppError('run/busy', `a run is going on; stop it before ${what}`);
    if (this.#opening) throw new AppError('run/busy', `a model is being opened; wait or cancel before ${what}`);
  }

  #closeRun(): void {
    this.#active?.answering?.destroy();
    this.#active?.run.destroy();
    this.#active = null;
  }

  #closeModel(): void {
    this.#closeRun();
    this.#chat?.destroy();
    this.#chat = null;
    this.#open?.resident.destroy();
    this.#open = null;
  }
}

function summaryOf(name: string, model: Model): ModelSummary {
  const weightTypes: Record<string, number> = {};
  for (const { type } of model.matrices.values()) weightTypes[type] = (weightTypes[type] ?? 0) + 1;
  const { config } = model;
  return {
    name,
    architecture: config.type,
    parameterCount: model.parameterCount,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    vocabSize: config.vocabSize,
    maxPositions: config.maxPositions,
    weightTypes,
    weightBytes: model.weightBytes,
    linearNames: [...model.architecture.linearNames],
  };
}

function summaryOfPlan(plan: RunPlan, answering: AnsweringPlan | null): PlanSummary {
  const { training } = plan;
  // The base's generator is gone before the tuned one is made; both are of a size but for the adapter.
  const bytes = answering ? addBytes(training.bytes, answering.tuned.bytes) : training.bytes;
  return {
    bytes,
    totalBytes: totalBytes(bytes),
    steps: plan.steps.totalSteps,
    capacities: [...training.options.capacities],
    trainableParameters: plan.layout.parameterCount,
    dispatches: (training.train.at(-1)?.dispatches ?? 0) + training.update.dispatches.length,
  };
}

function reportOf(step: number, answers: Answered[]): AnswerReport {
  const count = (isExact: (answer: Answered) => boolean) => answers.filter(isExact).length;
  return { step, total: answers.length, baseExact: count((a) => a.isBaseExact), tunedExact: count((a) => a.isTunedExact), answers };
}

function unpackRows({ tokens, lossMask, offsets }: PackedRows): Sequence[] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => {
    const [start, end] = [offsets[i], offsets[i + 1]];
    return { tokens: tokens.subarray(start, end), lossMask: lossMask.subarray(start, end) };
  });
}
