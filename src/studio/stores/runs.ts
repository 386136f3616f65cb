/** The runs that are kept on this device, newest first, with their curves where these were asked for. Starts none. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { DamagedFile, EvaluationMetrics, RunState, RunSummary } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { type ComparedRun, comparedRun } from '#studio/runs/comparison.ts';
import { asAppError } from '#studio/stores/device.ts';
import { isActive } from '#studio/stores/run.ts';
import { curvePoints } from '#studio/train/curve-points.ts';

/** What a row of the table draws and says of a run's losses. */
export interface RunCurve {
  /** Of the summary that it was read for: a run that went on has another. */
  updatedAt: string;
  smoothLossNats: readonly number[];
  lastLossNats: number | null;
  best: EvaluationMetrics | null;
  /** Where its record was changed or cut off; null when it is whole. */
  damaged: DamagedFile | null;
}

export interface RunsStore {
  /** Null before they were asked for the first time. */
  runs: readonly RunSummary[] | null;
  damaged: readonly DamagedFile[];
  curves: Readonly<Record<string, RunCurve>>;
  /** Runs that were compared, as they were at that time. */
  compared: Readonly<Record<string, ComparedRun & { updatedAt: string }>>;
  /** The interrupted run that nobody wants to hear of now. */
  dismissed: string | null;
  error: AppError | null;
  refresh: () => Promise<void>;
  /** Reads what the newest runs measured, one after another. */
  loadCurves: () => Promise<void>;
  /** Reads what runs measured that are to be compared. */
  loadCompared: (runs: readonly RunSummary[]) => Promise<void>;
  /** Whether it has its name and its note now. */
  rename: (id: string, words: { name: string; note: string }) => Promise<boolean>;
  /** Whether it is gone. */
  remove: (id: string) => Promise<boolean>;
  dismiss: (id: string) => void;
  dismissError: () => void;
}

/** Curves of a table that nobody scrolls through would only keep the trainer busy. */
const MOST_CURVES = 30;
const SPARK_POINTS = 48;

export function createRunsStore(trainer: Trainer) {
  return createStore<RunsStore>((set, get) => {
    let turn = 0;
    const change = async (how: () => Promise<void>): Promise<boolean> => {
      try {
        await how();
        set({ error: null });
        await get().refresh();
        return true;
      } catch (error) {
        set({ error: asAppError(error) });
        return false;
      }
    };
    return {
      runs: null,
      damaged: [],
      curves: {},
      compared: {},
      dismissed: null,
      error: null,
      async refresh() {
        const own = ++turn;
        try {
          const { runs, damaged } = await trainer.call('runs');
          if (own !== turn) return;
          set({ runs: runs.toSorted((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt)), damaged, error: null });
        } catch (error) {
          if (own === turn) set({ error: asAppError(error) });
        }
      },
      async loadCurves() {
        for (const { id, updatedAt } of (get().runs ?? []).slice(0, MOST_CURVES)) {
          if (get().curves[id]?.updatedAt === updatedAt) continue;
          try {
            const curve = await readCurve(trainer, id, updatedAt);
            set(({ curves }) => ({ curves: { ...curves, [id]: curve } }));
          } catch {
            // A run whose record cannot be read is named among the damaged files; its row has no curve.
          }
        }
      },
      async loadCompared(runs) {
        for (const { id, updatedAt } of runs) {
          if (get().compared[id]?.updatedAt === updatedAt) continue;
          try {
            const run = { ...comparedRun(id, await trainer.call('history', { runId: id })), updatedAt };
            set(({ compared }) => ({ compared: { ...compared, [id]: run } }));
          } catch (error) {
            set({ error: asAppError(error) });
          }
        }
      },
      rename: (id, words) => change(() => trainer.call('renameRun', { runId: id, ...words })),
      remove: (id) => change(() => trainer.call('removeRun', { runId: id })),
      dismiss(dismissed) {
        set({ dismissed });
      },
      dismissError() {
        set({ error: null });
      },
    };
  });
}

async function readCurve(trainer: Trainer, runId: string, updatedAt: string): Promise<RunCurve> {
  const { steps, evaluations, damaged } = await trainer.call('history', { runId });
  return {
    updatedAt,
    smoothLossNats: curvePoints(steps, [], { limit: SPARK_POINTS }).map(({ smooth }) => smooth.lossNats),
    lastLossNats: steps.at(-1)?.lossNats ?? null,
    best: evaluations.findLast(({ isBest }) => isBest) ?? null,
    damaged,
  };
}

/** Whether a kept run was on its way when its page, its browser or its device went. */
export function isInterrupted({ state, checkpoints }: Pick<RunSummary, 'state' | 'checkpoints'>): boolean {
  return state === 'running' || state === 'paused' || (state === 'failed' && checkpoints.length > 0);
}

/** The newest run that was cut off, unless one goes on now: that one is it. */
export function interruptedRun(
  { runs, dismissed }: Pick<RunsStore, 'runs' | 'dismissed'>,
  { state, runId }: { state: RunState; runId: string | null },
): RunSummary | null {
  if (isActive(state)) return null;
  const run = runs?.find((each) => isInterrupted(each) && (each.id !== runId || state.kind === 'failed'));
  return run === undefined || run.id === dismissed ? null : run;
}

/** The newest checkpoint of a run; null when none is kept. */
export function lastCheckpoint({ checkpoints }: Pick<RunSummary, 'checkpoints'>): number | null {
  return checkpoints.at(-1) ?? null;
}
