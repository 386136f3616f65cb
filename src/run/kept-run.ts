/** One run as it is written down while it goes on: what it measured, how it stands, its checkpoints. Writes in order, behind the training. */
import { unreachable } from '#base/errors.ts';
import type { EvaluationMetrics, RunState, StepMetrics } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { KeptCheckpoints } from '#run/active-run.ts';
import type { ArchivedRun, RunRecord } from '#run/archive.ts';
import type { RunChange, RunStore, StoredRun } from '#storage/runs.ts';

/** Records wait this long for others: a write reaches the disk each time, and a crash costs measurements that are made again. */
const FLUSH_MS = 2000;

export class KeptRun implements ArchivedRun {
  readonly id: string;
  readonly checkpoints: KeptCheckpoints;
  onError: (error: unknown) => void = () => {};
  readonly #store: RunStore;
  #records: RunRecord[] = [];
  #flushedAt = performance.now();
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;
  #state: StoredRun['state'] | null = null;
  #step = 0;

  constructor(store: RunStore, id: string) {
    this.#store = store;
    this.id = id;
    const folder = store.checkpoints(id);
    this.checkpoints = {
      read: (step) => folder.read(step),
      latest: () => folder.latest(),
      prune: (limit, keep) => folder.prune(limit, keep),
      write: async (step, files) => {
        // What was measured before a checkpoint is written down before it.
        this.#flush({ step });
        await this.#writing;
        return folder.write(step, files);
      },
    };
  }

  async goOn(recipe: Recipe, steps: number, step: number): Promise<void> {
    await this.#store.appendMetrics(this.id, [{ wentBack: step }]);
    await this.#store.update(this.id, { recipe, steps, step, state: 'running' });
    this.#state = 'running';
  }

  append(record: RunRecord): void {
    this.#records.push(record);
    if ('steps' in record) this.#step = record.steps.at(-1)?.step ?? this.#step;
    if ('wentBack' in record) this.#step = record.wentBack;
    if (performance.now() - this.#flushedAt >= FLUSH_MS) this.#flush({ step: this.#step });
  }

  setState(state: RunState): void {
    const next = storedState(state);
    if (next === null || next === this.#state) return;
    this.#state = next;
    this.#flush({ state: next, ...('step' in state ? { step: state.step } : {}) });
  }

  /** In turn with what is written of the run meanwhile. @throws as RunStore's `update` */
  async rename(words: { name: string; note: string }): Promise<void> {
    const renamed = this.#writing.then(() => this.#store.update(this.id, words));
    this.#writing = renamed.then(
      () => {},
      () => {},
    );
    await renamed;
  }

  /** Resolves when all that was told is written, or could not be. */
  settled(): Promise<void> {
    this.#flush({});
    return this.#writing;
  }

  #flush(change: RunChange): void {
    const records = this.#records;
    this.#records = [];
    this.#flushedAt = performance.now();
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#store.appendMetrics(this.id, records);
        if (Object.keys(change).length > 0) await this.#store.update(this.id, change);
      } catch (error) {
        // The run itself goes on: its checkpoints tell what they need.
        if (!this.#hasFailed) this.onError(error);
        this.#hasFailed = true;
      }
    });
  }
}

function storedState(state: RunState): StoredRun['state'] | null {
  switch (state.kind) {
    case 'training':
    case 'answering':
    case 'evaluating':
    case 'recovering':
      return 'running';
    case 'paused':
      return 'paused';
    case 'done':
      return state.endedBy === 'stopped' ? 'stopped' : 'done';
    case 'failed':
      return 'failed';
    case 'idle':
    case 'preparing':
      return null;
    default:
      return unreachable(state);
  }
}

/** What a run measured, as its charts show it: what came after a step that it went back to is left out. */
export function historyOf(records: readonly object[]): { steps: StepMetrics[]; evaluations: EvaluationMetrics[] } {
  let steps: StepMetrics[] = [];
  let evaluations: EvaluationMetrics[] = [];
  for (const record of records as Partial<{ steps: StepMetrics[]; evaluation: EvaluationMetrics; wentBack: number }>[]) {
    if (Array.isArray(record.steps)) steps.push(...record.steps);
    if (record.evaluation) evaluations.push(record.evaluation);
    const { wentBack } = record;
    if (wentBack !== undefined) {
      steps = steps.filter(({ step }) => step <= wentBack);
      evaluations = evaluations.filter(({ step }) => step <= wentBack);
    }
  }
  return { steps, evaluations };
}
