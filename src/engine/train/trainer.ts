/** The training loop: rows in order, packed, stepped; pause, resume and stop at step boundaries. Knows no storage and no page. */
import { AppError, invariant } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import type { RowOrder } from '#data/split.ts';
import { type Schedule, learningRate } from '#engine/train/schedule.ts';
import type { Training } from '#engine/train/training.ts';

/** What the loop did in one step. */
export interface StepReport {
  /** Steps done, from 1. */
  step: number;
  /** Epochs done, the part of the present one included. */
  epoch: number;
  lossNats: number;
  gradientNorm: number;
  learningRate: number;
  lossTokens: number;
  correctTokens: number;
  realTokens: number;
  /** Rows of the step, as indices into the sequences. */
  rows: readonly number[];
  stepMs: number;
}

/** `not-saved`: a checkpoint could not be written, and going on would put more work at risk. */
export type PauseReason = 'user' | 'not-finite' | 'not-saved';

/** The user's hand on a run: takes effect between two steps. */
export class TrainerControl {
  #paused: PauseReason | null = null;
  #isStopped = false;
  #failure: { error: unknown } | null = null;
  #wake: () => void = () => {};

  get pausedBecause(): PauseReason | null {
    return this.#paused;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  pause(why: PauseReason = 'user'): void {
    this.#paused = why;
  }

  resume(): void {
    this.#paused = null;
    this.#wake();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** Ends the run with an error that no command of its own has met yet: the device may be lost while it is paused. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves at once, or when a pause ends. */
  async whilePaused(): Promise<void> {
    while (this.#paused && !this.#isStopped && !this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}

export interface TrainerRun {
  training: Training;
  sequences: readonly Sequence[];
  /** Where the data stands after `startStep` steps. */
  order: RowOrder;
  /** Steps that were done before, by this run or by the one it goes on from. */
  startStep: number;
  rowsPerStep: number;
  totalSteps: number;
  schedule: Schedule;
  seed: number;
  control: TrainerControl;
  onStep(report: StepReport): void;
  /**
   * Awaited before the first step and after each: nothing trains meanwhile. `settle` waits until all that was submitted is reported by
   * `onStep`, which costs the device a rest.
   */
  onBoundary?(step: number, settle: () => Promise<void>): Promise<void>;
  /** Awaited when a pause begins; every step is reported by then. */
  onPause?(step: number, why: PauseReason): Promise<void> | void;
  onResume?(step: number): void;
}

/** Runs the steps; returns how many were done, those before `startStep` included. @throws whatever the device throws. */
export async function runTrainer(run: TrainerRun): Promise<number> {
  const { training, control, order } = run;
  const pending = new Set<Promise<void>>();
  let failure: { error: unknown } | null = null;
  let epochRows = order.state.epoch * order.rowCount + order.state.index;
  let step = run.startStep;
  let startedAt = performance.now();
  const settle = async () => {
    await Promise.all(pending);
    if (failure) throw failure.error;
  };
  await run.onBoundary?.(step, settle);
  while (step < run.totalSteps && !control.isStopped) {
    control.throwIfFailed();
    if (control.pausedBecause) {
      await settle();
      await run.onPause?.(step, control.pausedBecause);
      await control.whilePaused();
      control.throwIfFailed();
      if (control.isStopped) break;
      run.onResume?.(step);
      startedAt = performance.now();
    }
    const rows = order.next(run.rowsPerStep);
    const sequences = rows.map((row) => {
      const sequence = run.sequences[row];
      invariant(sequence, `row ${row} of ${run.sequences.length}`);
      return sequence;
    });
    const { batches, lossTokens, realTokens } = packStep(sequences, training.plan.options.capacities);
    if (lossTokens === 0)
      throw new AppError('data/no-loss', `step ${step + 1}: none of its ${rows.length} rows has a token that carries loss`);
    const rate = learningRate(step, run.schedule);
    const { result } = await training.step({ batches, lossTokens, learningRate: rate, step, seed: run.seed });
    step++;
    epochRows += rows.length;
    const done = step;
    const epoch = epochRows / order.rowCount;
    const reported = result
      .then(({ isFinite, ...found }) => {
        const now = performance.now();
        const stepMs = now - startedAt;
        startedAt = now;
        run.onStep({ step: done, epoch, learningRate: rate, realTokens, rows, stepMs, ...found });
        if (!isFinite) control.pause('not-finite');
      })
      .catch((error: unknown) => {
        failure ??= { error };
        control.stop();
      })
      .finally(() => pending.delete(reported));
    pending.add(reported);
    await run.onBoundary?.(step, settle);
  }
  await settle();
  return step;
}
