/** One run of a session: allocated, trained, recovered when the device is lost, and told in events. Knows no list of runs and no postMessage. */
import { AppError, type WireError, invariant, toWire } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import type { PauseReason } from '#engine/train/trainer.ts';
import type { TrainingState } from '#engine/train/training.ts';
import type { EvaluationMetrics, HeldOutRow, RunState, StepMetrics } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { Answering, type Answered, type AnsweringPlan, planAnswering } from '#run/answering.ts';
import {
  type CheckpointState,
  type RunIdentity,
  readAdapterState,
  readCheckpointState,
  readTrainingState,
  sequencesKey,
} from '#run/checkpoint.ts';
import type { DeviceHost } from '#run/device-host.ts';
import type { ValidationRows } from '#run/evaluation.ts';
import { LoraRun, type RunPlan, type RunVariant, planRun } from '#run/lora-run.ts';
import { MetricBatcher, RateMeter } from '#run/metrics.ts';
import type { RunPosition } from '#run/position.ts';
import { type Checkpoints, type EvaluationReport, MemoryCheckpoints, type RunOutcome, trainRun } from '#run/training-run.ts';

/** What a run needs besides the open model; enough to start it again on another day. */
export interface RunParts {
  id: string;
  recipe: Recipe;
  sequences: readonly Sequence[];
  validation: ValidationRows | null;
  heldOut: readonly HeldOutRow[];
}

/** Checkpoints that the newest whole one can be asked of. */
export interface KeptCheckpoints extends Checkpoints {
  latest(): Promise<{ step: number | null; files: Record<string, Uint8Array> | null }>;
}

/** What a run tells. */
export interface RunEvents {
  state(state: RunState): void;
  metrics(steps: StepMetrics[]): void;
  evaluation(evaluation: EvaluationMetrics): void;
  answers(step: number, answers: Answered[]): void;
  saved(report: { step: number; sizeBytes: number; ms: number }): void;
  notSaved(step: number, error: WireError): void;
  wentBack(step: number): void;
  /** At most ten times a second while it trains, and when something was allocated. */
  memory(): void;
}

/** Held-out rows are answered before, at the end, and this many times between. */
const ANSWERS_BETWEEN = 3;
/** Losses of the device in a row, without a checkpoint between them, after which a run gives up. */
const MOST_LOSSES = 3;

export class ActiveRun {
  readonly parts: RunParts;
  readonly #host: DeviceHost;
  #checkpoints: KeptCheckpoints = new MemoryCheckpoints();
  readonly #events: RunEvents;
  #plan: RunPlan | null = null;
  #run: LoraRun | null = null;
  #answering: Answering | null = null;
  #abort = new AbortController();
  #from: RunPosition | null = null;
  #identity: RunIdentity | null = null;
  #wish: 'go' | 'pause' | 'stop' = 'go';
  #isBusy = false;
  #adapterStep = 0;
  /** How far it had come when the device was lost. */
  #reached = 0;

  constructor(host: DeviceHost, parts: RunParts, events: RunEvents) {
    this.#host = host;
    this.parts = parts;
    this.#events = events;
  }

  /** From here on checkpoints go there; before, memory alone holds them, enough for the loss of the device. */
  keepIn(checkpoints: KeptCheckpoints): void {
    this.#checkpoints = checkpoints;
  }

  /** Training, paused, or on its way to either. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get plan(): RunPlan {
    invariant(this.#plan, 'the run is not planned');
    return this.#plan;
  }

  /** @throws AppError `run/no-adapter` while there is none on a device. */
  get live(): LoraRun {
    if (!this.#run) throw new AppError('run/no-adapter', 'the run has no adapter on the device');
    return this.#run;
  }

  get step(): number {
    return this.#run?.step ?? this.#from?.step ?? 0;
  }

  /** Whose adapter is on the device: the run's step, or the best one's once it is over. */
  get adapterStep(): number {
    return this.#isBusy ? this.step : this.#adapterStep;
  }

  /** Plans and allocates, from a checkpoint's files where there are any. @throws AppError `gpu/out-of-memory` and those of planning. */
  async prepare(files: Record<string, Uint8Array> | null): Promise<AnsweringPlan | null> {
    const gpu = await this.#host.device();
    const open = this.#host.model();
    const kept = files ? readCheckpointState(files) : null;
    this.#identity ??= { modelName: open.name, modelKey: open.key, rows: await sequencesKey(this.parts.sequences) };
    if (kept) this.#refuseOther(kept);
    this.#plan = this.#planOn(gpu, kept?.variant);
    const state = files ? await readTrainingState(this.#plan.layout, files) : {};
    await this.#allocate(gpu, state);
    this.#from = kept?.position ?? null;
    this.live.step = this.#from?.step ?? 0;
    const { heldOut } = this.parts;
    return heldOut.length > 0 ? planAnswering(gpu, open.model, this.#plan.layout, heldOut, open.tokenizer) : null;
  }

  /** Trains until it is over; what goes wrong becomes the state `failed`, and the device's loss a new beginning from the last checkpoint. */
  async train(answeringPlan: AnsweringPlan | null): Promise<void> {
    this.#isBusy = true;
    let losses = 0;
    let lostAt = -1;
    let answering = answeringPlan;
    try {
      for (;;) {
        const gpu = await this.#host.device();
        try {
          await this.#trainOnce(answering);
          return;
        } catch (error) {
          const cause = await gpu.causeOf(error);
          const isLost = cause instanceof AppError && cause.code === 'gpu/device-lost';
          const began = this.#from?.step ?? 0;
          losses = began === lostAt ? losses + 1 : 1;
          lostAt = began;
          if (!isLost || losses > MOST_LOSSES) throw cause;
          answering = await this.#recover(cause.message);
        }
      }
    } catch (error) {
      this.#events.state({ kind: 'failed', step: this.#run?.step ?? this.#reached, error: toWire(error), remedies: [] });
    } finally {
      this.#isBusy = false;
    }
  }

  /** Without training: the adapter of the newest checkpoint on the device, or of the one that the run had chosen. */
  async restore(): Promise<void> {
    const chosen = this.#adapterStep;
    this.#forget();
    const { files } = await this.#checkpoints.latest();
    if (!files) return;
    await this.prepare(files);
    const step = this.#from?.step ?? 0;
    this.#adapterStep = step;
    if (chosen === 0 || chosen === step) return;
    this.live.training.writeAdapter(await readAdapterState(this.plan.layout, await this.#checkpoints.read(chosen)));
    this.#adapterStep = chosen;
  }

  pause(): void {
    this.#wish = 'pause';
    this.#run?.control.pause();
  }

  resume(): void {
    this.#wish = 'go';
    this.#run?.control.resume();
  }

  stop(): void {
    this.#wish = 'stop';
    this.#run?.control.stop();
  }

  /** The device is lost: what trains or waits on it ends, and begins again on a new one. */
  lost(reason: string): void {
    this.#run?.control.fail(new AppError('gpu/device-lost', `the graphics device was lost: ${reason}`, { found: reason }));
  }

  destroy(): void {
    this.#answering?.destroy();
    this.#run?.destroy();
    this.#forget();
  }

  /** What was on a device that is gone. */
  #forget(): void {
    this.#answering = null;
    this.#run = null;
  }

  #planOn(gpu: Gpu, variant?: RunVariant): RunPlan {
    const { recipe, sequences, validation } = this.parts;
    const lengths = (rows: readonly Sequence[]) => rows.map(({ tokens }) => tokens.length);
    const options = { validationLengths: lengths(validation?.sequences ?? []), variant };
    return planRun(this.#host.model().model, recipe, lengths(sequences), gpu, options);
  }

  #refuseOther({ identity }: CheckpointState): void {
    const own = this.#identity as RunIdentity;
    const refuse = (code: 'run/other-model' | 'run/other-rows', what: string, found: string, expected: string) =>
      new AppError(code, `${what}: ${found} was found, ${expected} was expected; a run goes on with what it began with`, {
        found,
        expected,
      });
    if (identity.modelKey !== own.modelKey) throw refuse('run/other-model', 'the open model', own.modelName, identity.modelName);
    if (identity.rows !== own.rows) throw refuse('run/other-rows', 'the rows', own.rows.slice(0, 12), identity.rows.slice(0, 12));
  }

  async #allocate(gpu: Gpu, state: Partial<TrainingState>): Promise<void> {
    const { sequences, validation } = this.parts;
    this.#run = await LoraRun.create(gpu, this.#host.submits(), this.plan, { sequences, validation }, state);
    this.#abort = new AbortController();
    if (this.#wish === 'pause') this.#run.control.pause();
    if (this.#wish === 'stop') this.#run.control.stop();
  }

  async #recover(why: string): Promise<AnsweringPlan | null> {
    const { steps } = this.plan;
    this.#abort.abort();
    const step = this.step;
    this.#reached = step;
    this.#forget();
    this.#events.state({ kind: 'recovering', step, steps: steps.totalSteps, why });
    await this.#host.reopen();
    const { files } = await this.#checkpoints.latest();
    const answering = await this.prepare(files);
    this.#events.wentBack(this.#from?.step ?? 0);
    return answering;
  }

  async #trainOnce(answeringPlan: AnsweringPlan | null): Promise<void> {
    const run = this.live;
    const events = this.#events;
    const { totalSteps } = run.plan.steps;
    const meter = new RateMeter();
    const batcher = new MetricBatcher((steps) => events.metrics(steps));
    let secondsLeft: number | null = null;
    const training = (step: number): RunState => ({ kind: 'training', step, steps: totalSteps, secondsLeft });
    if (answeringPlan) await this.#openAnswering(answeringPlan);
    const answerAt = answerSteps(totalSteps);
    events.state(training(run.step));
    const outcome = await trainRun({
      run,
      identity: this.#identity as RunIdentity,
      checkpoints: this.#checkpoints,
      from: this.#from,
      hooks: {
        onStep: (report) => {
          batcher.add(report);
          secondsLeft = meter.at(report.step, totalSteps).secondsLeft;
          if (!batcher.isDue()) return;
          batcher.flush();
          events.state(training(report.step));
          events.memory();
        },
        onEvaluating: (step, done, total) => events.state({ kind: 'evaluating', step, steps: totalSteps, done, total }),
        onEvaluation: (report) => {
          batcher.flush();
          events.evaluation(metricsOf(report));
          meter.restart();
          if (report.step < totalSteps) events.state(training(report.step));
        },
        onSaving: () => batcher.flush(),
        onSaved: (report) => events.saved(report),
        onNotSaved: (step, error) => events.notSaved(step, toWire(error)),
        onBoundary: async (step) => {
          if (step > 0 && step < totalSteps && step !== this.#from?.step && answerAt.has(step)) {
            await this.#answer(step);
            meter.restart();
          }
        },
        onPause: (step, why: PauseReason) => {
          batcher.flush();
          events.state({ kind: 'paused', step, steps: totalSteps, why });
        },
        onResume: (step) => {
          meter.restart();
          events.state(training(step));
        },
      },
    });
    batcher.flush();
    await this.#finish(outcome);
  }

  async #finish({ position, endedBy, adapterStep }: RunOutcome): Promise<void> {
    const { totalSteps } = this.plan.steps;
    this.#adapterStep = adapterStep;
    this.#from = position;
    if (position.step > 0) await this.#answer(adapterStep);
    this.#events.memory();
    this.#events.state({ kind: 'done', step: position.step, steps: totalSteps, endedBy, adapterStep });
  }

  async #openAnswering(plan: AnsweringPlan): Promise<void> {
    const [gpu, { tokenizer }] = [await this.#host.device(), this.#host.model()];
    const onProgress = this.#answeringProgress(this.step, plan.rows.length);
    this.#answering = await Answering.create(gpu, this.#host.submits(), plan, tokenizer, onProgress, this.#abort.signal);
    if (this.step === 0) this.#events.answers(0, this.#answering.atStart());
    else await this.#answer(this.step);
  }

  async #answer(step: number): Promise<void> {
    if (!this.#answering) return;
    const onProgress = this.#answeringProgress(step, this.#answering.plan.rows.length);
    this.#events.answers(step, await this.#answering.answer(this.live.training, onProgress, this.#abort.signal));
  }

  #answeringProgress(step: number, total: number): (done: number) => void {
    const tell = (done: number) => this.#events.state({ kind: 'answering', step, steps: this.plan.steps.totalSteps, done, total });
    tell(0);
    return tell;
  }
}

function answerSteps(totalSteps: number): Set<number> {
  return new Set(Array.from({ length: ANSWERS_BETWEEN }, (_, i) => Math.round((totalSteps * (i + 1)) / (ANSWERS_BETWEEN + 1))));
}

function metricsOf({ step, epoch, lossNats, accuracy, tokens, rows, isBest }: EvaluationReport): EvaluationMetrics {
  return { step, epoch, lossNats, accuracy, tokens, rows, isBest };
}
