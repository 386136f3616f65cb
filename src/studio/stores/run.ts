/** The run, as the trainer tells it. Owns no step and no loss: a projection of the worker's events. */
import { createStore } from 'zustand/vanilla';
import { type AppError, fromWire } from '#base/errors.ts';
import { transfer } from '#protocol/rpc.ts';
import type {
  AnswerReport,
  DamagedFile,
  EvaluationMetrics,
  HeldOutRow,
  MemoryReport,
  PackedRows,
  PlanSummary,
  RunState,
  StepMetrics,
} from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { Clients } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { MetricSeries } from '#studio/train/metric-series.ts';

/** What a run was started with. */
export interface StartedRun {
  recipe: Recipe;
  heldOut: readonly HeldOutRow[];
  /** Held-out rows whose loss is measured; null: a kept run, whose evaluations tell. */
  validationRows: number | null;
  /** What is trained on; null while it is made ready, and of a kept run. */
  shape: DataShape | null;
}

/** Sequences, and how many tokens they have. */
export interface DataShape {
  rows: number;
  medianTokens: number;
  maxTokens: number;
}

export interface RunStore {
  state: RunState;
  runId: string | null;
  started: StartedRun | null;
  plan: PlanSummary | null;
  memory: MemoryReport | null;
  latest: StepMetrics | null;
  /** On the held-out rows; no best where they are too few to judge. */
  evaluations: { last: EvaluationMetrics; best: EvaluationMetrics | null } | null;
  /** The last checkpoint that is whole on this device. */
  saved: { step: number; sizeBytes: number | null } | null;
  /** What could not be kept since; null once a checkpoint was. */
  notSaved: { step: number; error: AppError } | null;
  /** Of a kept run: the step that it went on from, and checkpoints that were passed over. */
  resumed: { fromStep: number; damaged: readonly DamagedFile[] } | null;
  /** The device was lost after the run, and came back with the adapter of this step; null adapter: it is gone. */
  restored: { adapterStep: number | null } | null;
  /** Before the first step, and the last that came. */
  firstAnswers: AnswerReport | null;
  lastAnswers: AnswerReport | null;
  /** Why a run could not start. */
  error: AppError | null;
  start: (recipe: Recipe, heldOut: readonly HeldOutRow[], dataName: string) => Promise<void>;
  /** Goes on with a kept run, whose model is open; its charts are filled with what it measured before. */
  goOn: (runId: string, maxSteps?: number) => Promise<void>;
  /** Brings a kept run's adapter back, with its charts; nothing is trained. Its model is open. */
  open: (runId: string) => Promise<void>;
  pause: () => void;
  resume: () => void;
  stop: () => void;
  /** Another model was opened, or the device went: the run and its adapter are no more. */
  forget: () => void;
}

const NOTHING = {
  runId: null,
  started: null,
  plan: null,
  latest: null,
  evaluations: null,
  saved: null,
  notSaved: null,
  resumed: null,
  restored: null,
  firstAnswers: null,
  lastAnswers: null,
  error: null,
};

export function createRunStore({ trainer, data }: Clients, series: MetricSeries) {
  return createStore<RunStore>((set, get) => {
    trainer.on('state', (state) => set({ state }));
    trainer.on('memory', (memory) => set({ memory }));
    trainer.on('metrics', ({ steps }) => {
      series.append(steps);
      set({ latest: steps.at(-1) ?? get().latest });
    });
    trainer.on('evaluation', ({ evaluation }) => {
      series.appendEvaluation(evaluation);
      set({ evaluations: evaluationsOf(series) });
    });
    trainer.on('wentBack', ({ step }) => {
      series.wentBack(step);
      set({ evaluations: evaluationsOf(series) });
    });
    trainer.on('saved', ({ step, sizeBytes }) => set({ saved: { step, sizeBytes }, notSaved: null }));
    trainer.on('notSaved', ({ step, error }) => set({ notSaved: { step, error: fromWire(error) } }));
    trainer.on('deviceBack', ({ adapterStep }) => {
      const { state } = get();
      if (state.kind === 'done') set({ state: { ...state, adapterStep: adapterStep ?? 0 }, restored: { adapterStep } });
    });
    trainer.on('answers', (lastAnswers) => set({ lastAnswers, firstAnswers: get().firstAnswers ?? lastAnswers }));
    const control = (call: 'pause' | 'resume' | 'stop') => () => {
      trainer.call(call).catch((error: unknown) => set({ error: asAppError(error) }));
    };
    /** What the trainer said of the failure, with what would fit, stays; else the run never began. */
    const failed = (reason: unknown): void => {
      const error = asAppError(reason);
      if (get().state.kind === 'failed') set({ started: null });
      else set({ error, state: { kind: 'idle' }, started: null });
    };
    /** Fills the charts with what a kept run measured. */
    const showHistory = async (runId: string): Promise<StepMetrics[]> => {
      set({ ...NOTHING, state: { kind: 'preparing', what: 'the kept run' } });
      series.clear();
      const { steps, evaluations } = await trainer.call('history', { runId });
      series.append(steps);
      for (const evaluation of evaluations) series.appendEvaluation(evaluation);
      set({ latest: steps.at(-1) ?? null, evaluations: evaluationsOf(series) });
      return steps;
    };
    return {
      state: { kind: 'idle' },
      memory: null,
      ...NOTHING,
      async start(recipe, heldOut, dataName) {
        series.clear();
        set({ ...NOTHING, state: { kind: 'preparing', what: 'rows' }, started: { recipe, heldOut, validationRows: null, shape: null } });
        try {
          const { train, validation } = await data.call('takeRows');
          set({ started: { recipe, heldOut, validationRows: validation?.rowCount ?? 0, shape: shapeOf(train) } });
          const params = { recipe, rows: train, validation, heldOut: [...heldOut], dataName };
          set(await trainer.call('start', transfer(params, [train, validation].flatMap(buffersOf))));
        } catch (error) {
          failed(error);
        }
      },
      async goOn(runId, maxSteps) {
        try {
          const steps = await showHistory(runId);
          const { plan, fromStep, recipe, heldOut, damaged } = await trainer.call('resumeRun', { runId, maxSteps });
          // Steps that came already took the place of those after the checkpoint.
          if (get().latest === (steps.at(-1) ?? null)) series.wentBack(fromStep);
          const started = { recipe, heldOut, validationRows: null, shape: null };
          const saved = fromStep > 0 ? (get().saved ?? { step: fromStep, sizeBytes: null }) : get().saved;
          set({ runId, plan, started, saved, resumed: { fromStep, damaged }, evaluations: evaluationsOf(series) });
        } catch (error) {
          series.clear();
          failed(error);
        }
      },
      async open(runId) {
        try {
          const steps = await showHistory(runId);
          const { plan, step, recipe, heldOut, damaged } = await trainer.call('openRun', { runId });
          series.wentBack(step);
          const latest = steps.findLast((each) => each.step <= step) ?? null;
          const started = { recipe, heldOut, validationRows: null, shape: null };
          const saved = { step, sizeBytes: null };
          const resumed = { fromStep: step, damaged };
          set({ runId, plan, started, saved, resumed, latest, evaluations: evaluationsOf(series) });
        } catch (error) {
          series.clear();
          failed(error);
        }
      },
      pause: control('pause'),
      resume: control('resume'),
      stop: control('stop'),
      forget() {
        series.clear();
        set({ ...NOTHING, state: { kind: 'idle' }, memory: null });
      },
    };
  });
}

function evaluationsOf({ lastEvaluation: last, bestEvaluation: best }: MetricSeries): RunStore['evaluations'] {
  return last === null ? null : { last, best };
}

/** Whether a run, or the one that would be started, has held-out rows to measure. */
export function isMeasured(started: StartedRun | null, report: { validationRows: number } | null): boolean {
  return started === null ? (report?.validationRows ?? 0) > 0 : (started.validationRows ?? 0) > 0;
}

function shapeOf({ offsets }: PackedRows): DataShape {
  const lengths = offsets.slice(1).map((end, i) => end - offsets[i]);
  lengths.sort();
  return { rows: lengths.length, medianTokens: lengths[Math.floor(lengths.length / 2)] ?? 0, maxTokens: lengths.at(-1) ?? 0 };
}

function buffersOf(rows: PackedRows | null): Transferable[] {
  return rows === null ? [] : [rows.tokens.buffer, rows.lossMask.buffer, rows.offsets.buffer];
}

/** Whether the device works on a run, or will when it is resumed. */
export function isActive(state: RunState): boolean {
  return state.kind !== 'idle' && state.kind !== 'done' && state.kind !== 'failed';
}

/** Steps of the adapter that can be asked and downloaded; null when there is none. */
export function adapterStep(state: RunState): number | null {
  switch (state.kind) {
    case 'training':
    case 'paused':
    case 'answering':
    case 'evaluating':
      return state.step;
    case 'done':
      return state.adapterStep;
    case 'failed':
      return state.step > 0 ? state.step : null;
    case 'idle':
    case 'preparing':
    case 'recovering':
      return null;
    default:
      return state satisfies never;
  }
}
