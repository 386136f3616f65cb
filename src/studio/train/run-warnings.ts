/** What a person would want to be told of a run's curves and settings, and when: rules over numbers. Pure; knows no words. */
import { smooth } from '#metrics/ema.ts';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import { unusualRate } from '#recipe/presets.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { SMOOTHING } from '#studio/train/curve-points.ts';
import type { SeriesStep } from '#studio/train/metric-series.ts';

export type RunWarning =
  | { kind: 'diverging'; lowest: number; now: number }
  | { kind: 'flat'; steps: number; from: number; now: number }
  | { kind: 'overFitting'; bestStep: number; best: number; now: number }
  | { kind: 'unusualRate'; is: 'low' | 'high'; rate: number; usual: number }
  | { kind: 'mostTruncated'; rows: number; of: number };

type Losses = readonly Pick<SeriesStep, 'step' | 'lossNats' | 'learningRate'>[];

/** A smoothed loss this far above its lowest, after so many steps, has turned round and is no noise. */
const RISE_NATS = 0.5;
const RISE_AFTER_STEPS = 20;

/** The smoothed loss stands well above its lowest. */
export function diverging(steps: Losses): RunWarning | null {
  if (steps.length <= RISE_AFTER_STEPS) return null;
  const smoothed = smooth(finiteLosses(steps), SMOOTHING);
  const now = smoothed.at(-1);
  const lowest = smoothed.reduce((least, each) => Math.min(least, each), Infinity);
  return now !== undefined && now > lowest + RISE_NATS ? { kind: 'diverging', lowest, now } : null;
}

const FLAT_AFTER_STEPS = 60;
const FLAT_FALL = 0.02;
/** A loss this low has nowhere to fall. */
const LEARNT_NATS = 0.1;
const ENDS_STEPS = 20;

/** The loss has hardly moved since the warmup: the mean of the last 20 steps lies within a fiftieth of that of the first 20. */
export function flat(steps: Losses): RunWarning | null {
  const peak = steps.reduce((most, { learningRate }) => Math.max(most, learningRate), 0);
  const since = steps.slice(
    Math.max(
      0,
      steps.findIndex(({ learningRate }) => learningRate >= peak / 2),
    ),
  );
  if (since.length < FLAT_AFTER_STEPS) return null;
  const from = mean(finiteLosses(since.slice(0, ENDS_STEPS)));
  const now = mean(finiteLosses(since.slice(-ENDS_STEPS)));
  const isFlat = from > LEARNT_NATS && Math.abs(from - now) < from * FLAT_FALL;
  return isFlat ? { kind: 'flat', steps: since.length, from, now } : null;
}

const RISE_OF_VALIDATION = 0.02;

/**
 * The loss on held-out rows has risen: its last two measurements lie more than a fiftieth above the best, while the smoothed training loss
 * fell on since the best.
 */
export function overFitting(steps: Losses, evaluations: readonly EvaluationMetrics[]): RunWarning | null {
  const best = evaluations.reduce<EvaluationMetrics | null>(
    (least, each) => (least === null || each.lossNats < least.lossNats ? each : least),
    null,
  );
  const lastTwo = evaluations.slice(-2);
  if (best === null || lastTwo.length < 2 || lastTwo.some(({ lossNats }) => !(lossNats > best.lossNats * (1 + RISE_OF_VALIDATION))))
    return null;
  const smoothed = smooth(finiteLosses(steps), SMOOTHING);
  const at = (step: number): number => {
    const index = steps.findLastIndex((each) => each.step <= step);
    return smoothed[index] ?? Number.NaN;
  };
  const { step, lossNats: now } = lastTwo[1];
  return at(step) < at(best.step) ? { kind: 'overFitting', bestStep: best.step, best: best.lossNats, now } : null;
}

/** The rate lies far from what is usual for the method and a model of this size. */
export function rateFarFromUsual(
  recipe: Pick<Recipe, 'learning_rate' | 'method'> | null,
  parameterCount: number | null,
): RunWarning | null {
  const unusual = recipe === null ? null : unusualRate(recipe, parameterCount);
  if (recipe === null || unusual === null) return null;
  return { kind: 'unusualRate', is: unusual.kind, rate: recipe.learning_rate, usual: unusual.usual };
}

/** More than half of the rows lose their ends. */
export function mostTruncated(report: { truncatedRows: { count: number }; rowCount: number } | null): RunWarning | null {
  if (report === null || report.truncatedRows.count * 2 <= report.rowCount) return null;
  return { kind: 'mostTruncated', rows: report.truncatedRows.count, of: report.rowCount };
}

/** Not finite ones keep their place as the value before them, so that indexes stay those of the steps. */
function finiteLosses(steps: Losses): number[] {
  let last = steps.find(({ lossNats }) => Number.isFinite(lossNats))?.lossNats ?? 0;
  return steps.map(({ lossNats }) => (last = Number.isFinite(lossNats) ? lossNats : last));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
