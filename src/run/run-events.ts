/** What a run tells, sent on as the protocol's events and written down where it is kept. Knows no device. */
import type { TrainerEvents } from '#protocol/trainer.ts';
import type { RunEvents } from '#run/active-run.ts';
import type { ArchivedRun } from '#run/archive.ts';
import { reportOf } from '#run/summaries.ts';

export type Emit = <E extends keyof TrainerEvents>(event: E, data: TrainerEvents[E]) => void;

/** `keptNow`: where the run is kept at the moment of an event; until then it is told under `id`. */
export function runEvents(id: string, emit: Emit, keptNow: () => ArchivedRun | null, onMemory: () => void): RunEvents {
  const runId = () => keptNow()?.id ?? id;
  return {
    state: (state) => {
      keptNow()?.setState(state);
      emit('state', state);
    },
    metrics: (steps) => {
      keptNow()?.append({ steps });
      emit('metrics', { runId: runId(), steps });
    },
    evaluation: (evaluation) => {
      keptNow()?.append({ evaluation });
      emit('evaluation', { runId: runId(), evaluation });
    },
    answers: (step, answers) => emit('answers', reportOf(step, answers)),
    // What memory alone holds outlives nothing: that is not told.
    saved: ({ step, sizeBytes, ms }) => {
      const kept = keptNow();
      if (kept) emit('saved', { runId: kept.id, step, sizeBytes, ms });
    },
    notSaved: (step, error) => emit('notSaved', { runId: runId(), step, error }),
    wentBack: (step) => {
      keptNow()?.append({ wentBack: step });
      emit('wentBack', { runId: runId(), step });
    },
    memory: onMemory,
  };
}
