/** Kept runs beside one another: what differs between their recipes, what each came to, and their curves on one axis. Pure. */
import type { EvaluationMetrics, RunHistory, RunSummary } from '#protocol/trainer.ts';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { curvePoints } from '#studio/train/curve-points.ts';

/** Of one run, what a comparison draws and says. */
export interface ComparedRun {
  id: string;
  /** Smoothed training loss, and the loss on held-out rows, by step; in nats. */
  training: readonly CurveValue[];
  validation: readonly CurveValue[];
  lastLossNats: number | null;
  best: EvaluationMetrics | null;
  /** Time of the steps alone. */
  trainedSeconds: number;
}

export interface CurveValue {
  step: number;
  lossNats: number;
}

/** Points of one run: several lie over one another. */
const COMPARED_POINTS = 400;

export function comparedRun(
  id: string,
  { steps, evaluations }: Pick<RunHistory, 'steps' | 'evaluations'>,
  smoothing?: number,
): ComparedRun {
  const finite = ({ lossNats }: CurveValue): boolean => Number.isFinite(lossNats);
  const points = curvePoints(steps, [], { limit: COMPARED_POINTS, smoothing });
  return {
    id,
    training: points.map(({ step, smooth }) => ({ step, lossNats: smooth.lossNats })).filter(finite),
    validation: evaluations.map(({ step, lossNats }) => ({ step, lossNats })).filter(finite),
    lastLossNats: steps.at(-1)?.lossNats ?? null,
    best: evaluations.reduce<EvaluationMetrics | null>(
      (best, each) => (best !== null && best.lossNats <= each.lossNats ? best : each),
      null,
    ),
    trainedSeconds: steps.reduce((sum, { stepMs }) => sum + stepMs, 0) / 1000,
  };
}

/** A row of a chart: the step, and the value that each run has there, by its place among the compared. */
export interface OverlaidRow {
  step: number;
  values: Record<number, number>;
}

/** Several curves as rows by step, ascending; a run that has nothing at a step has no value there. */
export function overlaid(curves: readonly (readonly CurveValue[])[]): OverlaidRow[] {
  const rows = new Map<number, OverlaidRow>();
  for (const [i, curve] of curves.entries()) {
    for (const { step, lossNats } of curve) {
      const row = rows.get(step) ?? { step, values: {} };
      row.values[i] = lossNats;
      rows.set(step, row);
    }
  }
  return [...rows.values()].sort((a, b) => a.step - b.step);
}

export interface DifferingField {
  field: keyof Recipe;
  label: string;
  values: readonly unknown[];
}

/** The fields in which not all of the recipes agree, in the order of the form, with each one's value. */
export function differingFields(runs: readonly Pick<RunSummary, 'recipe'>[]): DifferingField[] {
  return (Object.keys(RECIPE_FIELDS) as (keyof Recipe)[]).flatMap((field) => {
    const values = runs.map(({ recipe }) => recipe[field]);
    const isSame = new Set(values.map((value) => JSON.stringify(value ?? null))).size < 2;
    return isSame ? [] : [{ field, label: RECIPE_FIELDS[field].label, values }];
  });
}

/** Labels at the right end of their curves, moved apart so that no two are closer than `gap`, in the order of their places. */
export function spreadLabels(places: readonly number[], gap: number, [top, bottom]: readonly [number, number]): number[] {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const spread = [...places];
  let least = top;
  for (const i of order) {
    spread[i] = Math.max(spread[i], least);
    least = spread[i] + gap;
  }
  let most = bottom;
  for (const i of order.toReversed()) {
    spread[i] = Math.min(spread[i], most);
    most = spread[i] - gap;
  }
  return spread;
}
