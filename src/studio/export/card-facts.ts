/** What the model card of the present adapter tells, from the stores. */
import type { StoreApi } from 'zustand/vanilla';
import type { CardFacts } from '#studio/export/adapter-folder.ts';
import type { ModelStore } from '#studio/stores/model.ts';
import type { RunStore } from '#studio/stores/run.ts';
import type { RunsStore } from '#studio/stores/runs.ts';
import type { MetricSeries } from '#studio/train/metric-series.ts';

interface Stores {
  model: StoreApi<ModelStore>;
  run: StoreApi<RunStore>;
  runs: StoreApi<RunsStore>;
  series: MetricSeries;
}

/** Null when there is no run whose adapter it could be. @param step of the adapter */
export function cardFacts({ model, run, runs, series }: Stores, step: number): CardFacts | null {
  const summary = model.getState().opened?.summary;
  const { started, state, runId } = run.getState();
  if (summary === undefined || started === null) return null;
  const { name, architecture, parameterCount } = summary;
  const kept = runs.getState().runs?.find(({ id }) => id === runId);
  const { shape } = started;
  return {
    base: { name, architecture, parameterCount },
    recipe: started.recipe,
    step,
    steps: 'steps' in state ? state.steps : (kept?.steps ?? null),
    data: {
      rows: shape?.rows ?? kept?.rowCount ?? null,
      heldOutRows: series.lastEvaluation?.rows ?? started.validationRows,
      medianTokens: shape?.medianTokens ?? null,
      maxTokens: shape?.maxTokens ?? null,
    },
    lastLossNats: series.steps.findLast((each) => each.step <= step)?.lossNats ?? null,
    last: series.lastEvaluation,
    best: series.bestEvaluation,
  };
}
