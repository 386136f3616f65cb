/** Trains a run: evaluations, early stopping, checkpoints and the way back to them. What the worker and the command line share. */
import { AppError } from '#base/errors.ts';
import { RowOrder } from '#data/split.ts';
import { type PauseReason, type StepReport, runTrainer } from '#engine/train/trainer.ts';
import { evaluationInterval, saveInterval } from '#recipe/steps.ts';
import { type RunIdentity, checkpointFiles, readAdapterState } from '#run/checkpoint.ts';
import { type Evaluation, FEWEST_TO_JUDGE, evaluateRows } from '#run/evaluation.ts';
import type { LoraRun } from '#run/lora-run.ts';
import { type LogEntry, type RunPosition, evaluationEntry, judge, startPosition, stepEntry } from '#run/position.ts';

/** Where checkpoints go: a folder of a disk, of OPFS, or memory alone. */
export interface Checkpoints {
  /** @throws AppError `storage/quota`, `storage/failed`; the former checkpoint is whole either way. */
  write(step: number, files: Record<string, Uint8Array>): Promise<{ sizeBytes: number }>;
  read(step: number): Promise<Record<string, Uint8Array>>;
  /** Deletes the oldest beyond `limit` (null: none), but never those of `keep`. */
  prune(limit: number | null, keep: readonly number[]): Promise<void>;
}

export interface EvaluationReport extends Evaluation {
  step: number;
  epoch: number;
  /** Better than all before; never where there are too few rows to judge. */
  isBest: boolean;
  ms: number;
}

export interface SavedReport {
  step: number;
  sizeBytes: number;
  /** For how long nothing trained, and until the checkpoint was whole. */
  heldMs: number;
  ms: number;
}

export interface RunHooks {
  onStep(report: StepReport): void;
  onEvaluation?(report: EvaluationReport): void;
  /** `done` of `total` held-out rows are measured. */
  onEvaluating?(step: number, done: number, total: number): void;
  /** A checkpoint is about to be written; every step before it is reported. */
  onSaving?(step: number): void;
  onSaved?(report: SavedReport): void;
  /** A checkpoint could not be written: the run pauses; when it is resumed it tries again. */
  onNotSaved?(step: number, error: unknown): void;
  /** Awaited before the first step and after each, when nothing trains. */
  onBoundary?(step: number): Promise<void>;
  onPause?(step: number, why: PauseReason): void;
  onResume?(step: number): void;
}

export interface TrainRun {
  run: LoraRun;
  identity: RunIdentity;
  /** null: nothing is kept but the adapter on the device. */
  checkpoints: Checkpoints | null;
  /** Where a checkpoint left it; null: from the start. */
  from: RunPosition | null;
  hooks: RunHooks;
}

export interface RunOutcome {
  /** `early`: evaluations brought no gain for as long as the recipe allows. */
  endedBy: 'steps' | 'stopped' | 'early';
  position: RunPosition;
  /** The last evaluation, of the adapter as it is now. */
  evaluation: EvaluationReport | null;
  /** The step whose adapter is on the device now: the best one's with `load_best_model_at_end`. */
  adapterStep: number;
}

/** By time: all checkpoints together, the next one and the last one included, take at most a twentieth of the run. */
const COST_FACTOR = 20;
/** Nor is one written sooner than this after another: what is lost with them is little. */
const LEAST_APART_MS = 5000;

/** Trains to the end, or until `run.control.stop()`. @throws whatever the device throws; what is saved by then is whole. */
export async function trainRun(options: TrainRun): Promise<RunOutcome> {
  return new Trained(options).train();
}

class Trained {
  readonly #options: TrainRun;
  readonly #position: RunPosition;
  readonly #saves: { steps: number; byTime: boolean };
  readonly #evaluations: number;
  #saving: Promise<void> = Promise.resolve();
  #failedSave = false;
  #savedAt = 0;
  #lastSaveMs = 0;
  #allSavesMs = 0;
  readonly #startedAt = performance.now();
  #lastSaveEnd = performance.now();
  #evaluated: EvaluationReport | null = null;
  #endsEarly = false;
  readonly #isJudged: boolean;
  readonly #order: RowOrder;

  constructor(options: TrainRun) {
    this.#options = options;
    const { run, from } = options;
    const { recipe, steps } = run.plan;
    this.#position = structuredClone(from ?? startPosition(recipe.seed));
    this.#savedAt = from?.step ?? 0;
    this.#order = new RowOrder(run.sequences.length, recipe.train_sampling_strategy, this.#position.order);
    this.#saves = options.checkpoints ? saveInterval(recipe, steps) : { steps: Infinity, byTime: false };
    this.#evaluations = run.validation ? evaluationInterval(recipe, steps) : Infinity;
    this.#isJudged = (run.validation?.rowCount ?? 0) >= FEWEST_TO_JUDGE;
    run.step = this.#position.step;
  }

  async train(): Promise<RunOutcome> {
    const { run, hooks, from } = this.#options;
    const { recipe, steps } = run.plan;
    const startStep = from?.step ?? 0;
    try {
      await runTrainer({
        training: run.training,
        sequences: run.sequences,
        order: this.#order,
        startStep,
        rowsPerStep: steps.rowsPerStep,
        totalSteps: steps.totalSteps,
        schedule: {
          type: recipe.lr_scheduler_type,
          warmupSteps: steps.warmupSteps,
          totalSteps: steps.totalSteps,
          peak: recipe.learning_rate,
        },
        seed: recipe.seed,
        control: run.control,
        onStep: (report) => this.#onStep(report),
        onBoundary: async (step, settle) => {
          if (step > startStep) await this.#afterStep(step, settle);
          await hooks.onBoundary?.(step);
        },
        onPause: async (step, why) => {
          // Who reads that a run is paused may close the page: by then it is kept.
          if (why === 'user' && this.#isKept()) await this.#save(step);
          await this.#saving;
          hooks.onPause?.(step, run.control.pausedBecause ?? why);
        },
        onResume: (step) => hooks.onResume?.(step),
      });
    } finally {
      await this.#saving;
    }
    return this.#end();
  }

  #onStep(report: StepReport): void {
    const { run, hooks } = this.#options;
    const { step } = report;
    run.step = step;
    const isLast = step === run.plan.steps.totalSteps;
    if (step === 1 || step % run.plan.recipe.logging_steps === 0 || isLast) this.#log(stepEntry(report));
    this.#position.step = step;
    this.#position.epoch = report.epoch;
    hooks.onStep(report);
  }

  #log(entry: LogEntry): void {
    this.#position.log.push(entry);
  }

  async #afterStep(step: number, settle: () => Promise<void>): Promise<void> {
    const { totalSteps } = this.#options.run.plan.steps;
    this.#position.order = this.#order.state;
    if (step === totalSteps) return; // what ends a run ends one that was stopped, too
    if (step % this.#evaluations === 0) {
      await settle();
      await this.#evaluate();
    }
    const isBest = this.#position.best?.step === step && this.#options.run.plan.recipe.load_best_model_at_end;
    const isDue = step % this.#saves.steps === 0 || (this.#saves.byTime && this.#isTime());
    if (this.#options.checkpoints && (isBest || isDue || (this.#failedSave && this.#isKept()))) {
      await settle();
      await this.#save(step);
    }
    if (this.#endsEarly) this.#options.run.control.stop();
  }

  #isTime(): boolean {
    const now = performance.now();
    const costMs = this.#allSavesMs + 2 * this.#lastSaveMs;
    return now - this.#lastSaveEnd >= LEAST_APART_MS && now - this.#startedAt >= COST_FACTOR * costMs;
  }

  #isKept(): boolean {
    return this.#options.checkpoints !== null && this.#options.run.plan.recipe.save_strategy !== 'no';
  }

  async #evaluate(): Promise<EvaluationReport | null> {
    const { run, hooks } = this.#options;
    const { validation, plan } = run;
    if (!validation) return null;
    const { step, epoch } = this.#position;
    const startedAt = performance.now();
    hooks.onEvaluating?.(step, 0, validation.sequences.length);
    const found = await evaluateRows(run.training, validation.sequences, plan.recipe.per_device_eval_batch_size, (done, total) =>
      hooks.onEvaluating?.(step, done, total),
    );
    this.#log(evaluationEntry(this.#position, found));
    const { isBest, endsEarly } = this.#isJudged ? judge(this.#position, found, plan.recipe) : { isBest: false, endsEarly: false };
    this.#position.evaluatedAt = step;
    this.#endsEarly ||= endsEarly;
    this.#evaluated = { ...found, step, epoch, isBest, ms: performance.now() - startedAt };
    hooks.onEvaluation?.(this.#evaluated);
    return this.#evaluated;
  }

  /** Reads the state back, which holds the run up; hashing and writing go on beside it. */
  async #save(step: number): Promise<void> {
    const { run, identity, checkpoints, hooks } = this.#options;
    if (!checkpoints || this.#savedAt === step || step === 0) return;
    await this.#saving;
    hooks.onSaving?.(step);
    const startedAt = performance.now();
    const files = checkpointFiles(run.plan, await run.training.readState(), this.#position, identity);
    const heldMs = performance.now() - startedAt;
    const keep = this.#position.best ? [this.#position.best.step, step] : [step];
    this.#savedAt = step;
    const write = async (): Promise<void> => {
      try {
        const { sizeBytes } = await checkpoints.write(step, files);
        await checkpoints.prune(run.plan.recipe.save_total_limit, keep);
        this.#failedSave = false;
        hooks.onSaved?.({ step, sizeBytes, heldMs, ms: performance.now() - startedAt });
      } catch (error) {
        this.#savedAt = 0;
        this.#failedSave = true;
        hooks.onNotSaved?.(step, error);
        run.control.pause('not-saved');
      } finally {
        this.#lastSaveEnd = performance.now();
        this.#lastSaveMs = this.#lastSaveEnd - startedAt;
        this.#allSavesMs += this.#lastSaveMs;
      }
    };
    this.#saving = write();
  }

  async #end(): Promise<RunOutcome> {
    const { run, checkpoints } = this.#options;
    const { recipe, steps } = run.plan;
    const { step } = this.#position;
    const isWhole = step === steps.totalSteps;
    const needsEvaluation = step > 0 && run.validation !== null && this.#position.evaluatedAt !== step;
    // Who stops a run wants it kept first; the last measurement of a whole one belongs into its checkpoint.
    if (needsEvaluation && isWhole) await this.#evaluate();
    if (this.#isKept()) await this.#save(step);
    await this.#saving;
    if (needsEvaluation && !isWhole) await this.#evaluate();
    const { best } = this.#position;
    let adapterStep = step;
    if (recipe.load_best_model_at_end && checkpoints && best && best.step !== step) {
      const adapter = await this.#adapterOf(best.step, checkpoints);
      if (adapter) {
        run.training.writeAdapter(adapter);
        adapterStep = best.step;
      }
    }
    const endedBy = this.#endsEarly ? 'early' : isWhole ? 'steps' : 'stopped';
    return { endedBy, position: this.#position, evaluation: this.#evaluated, adapterStep };
  }

  /** null where the checkpoint is gone or damaged: the last adapter is better than none, and `adapterStep` says which it is. */
  async #adapterOf(step: number, checkpoints: Checkpoints): Promise<Float32Array | null> {
    try {
      return await readAdapterState(this.#options.run.plan.layout, await checkpoints.read(step));
    } catch (error) {
      if (error instanceof AppError && error.code.startsWith('storage/')) return null;
      throw error;
    }
  }
}

/** Checkpoints for a session without storage: enough to go on from after the device was lost. */
export class MemoryCheckpoints implements Checkpoints {
  readonly #kept = new Map<number, Record<string, Uint8Array>>();

  async write(step: number, files: Record<string, Uint8Array>): Promise<{ sizeBytes: number }> {
    this.#kept.set(step, files);
    return { sizeBytes: Object.values(files).reduce((sum, { byteLength }) => sum + byteLength, 0) };
  }

  async read(step: number): Promise<Record<string, Uint8Array>> {
    const files = this.#kept.get(step);
    if (!files) throw new AppError('storage/not-found', `the checkpoint of step ${step} is not kept`, { found: step });
    return files;
  }

  /** Memory holds the last and those of `keep` alone, whatever the limit. */
  async prune(_limit: number | null, keep: readonly number[]): Promise<void> {
    for (const step of this.#kept.keys()) if (!keep.includes(step)) this.#kept.delete(step);
  }

  async latest(): Promise<{ step: number | null; files: Record<string, Uint8Array> | null }> {
    const step = Math.max(-1, ...this.#kept.keys());
    const files = this.#kept.get(step);
    return files ? { step, files } : { step: null, files: null };
  }
}
