/** The run, as the trainer tells it. Owns no step and no loss: a projection of the worker's events. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import { transfer } from '#protocol/rpc.ts';
import type { AnswerReport, HeldOutRow, MemoryReport, PackedRows, PlanSummary, RunState, StepMetrics } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { Clients } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { MetricSeries } from '#studio/train/metric-series.ts';

export interface RunStore {
  state: RunState;
  runId: string | null;
  /** What the run was started with. */
  started: { recipe: Recipe; heldOut: readonly HeldOutRow[] } | null;
  plan: PlanSummary | null;
  memory: MemoryReport | null;
  latest: StepMetrics | null;
  /** Before the first step, and the last that came. */
  firstAnswers: AnswerReport | null;
  lastAnswers: AnswerReport | null;
  /** Why a run could not start. */
  error: AppError | null;
  start: (recipe: Recipe, heldOut: readonly HeldOutRow[], dataName: string) => Promise<void>;
  pause: () => void;
  resume: () => void;
  stop: () => void;
  /** Another model was opened, or the device went: the run and its adapter are no more. */
  forget: () => void;
}

const NOTHING = { runId: null, started: null, plan: null, latest: null, firstAnswers: null, lastAnswers: null, error: null };

export function createRunStore({ trainer, data }: Clients, series: MetricSeries) {
  return createStore<RunStore>((set, get) => {
    trainer.on('state', (state) => set({ state }));
    trainer.on('memory', (memory) => set({ memory }));
    trainer.on('metrics', ({ steps }) => {
      series.append(steps);
      set({ latest: steps.at(-1) ?? get().latest });
    });
    trainer.on('answers', (lastAnswers) => set({ lastAnswers, firstAnswers: get().firstAnswers ?? lastAnswers }));
    const control = (call: 'pause' | 'resume' | 'stop') => () => {
      trainer.call(call).catch((error: unknown) => set({ error: asAppError(error) }));
    };
    return {
      state: { kind: 'idle' },
      memory: null,
      ...NOTHING,
      async start(recipe, heldOut, dataName) {
        series.clear();
        set({ ...NOTHING, state: { kind: 'preparing', what: 'rows' }, started: { recipe, heldOut } });
        try {
          const { train, validation } = await data.call('takeRows');
          const params = { recipe, rows: train, validation, heldOut: [...heldOut], dataName };
          set(await trainer.call('start', transfer(params, [train, validation].flatMap(buffersOf))));
        } catch (error) {
          set({ error: asAppError(error), state: { kind: 'idle' }, started: null });
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
