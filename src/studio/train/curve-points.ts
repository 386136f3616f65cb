/** The points that the charts of a run draw: smoothed, thinned, and the range that an axis shows. Pure. */
import { smooth } from '#metrics/ema.ts';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import type { SeriesStep } from '#studio/train/metric-series.ts';

const MEASURED = ['lossNats', 'gradientNorm', 'learningRate', 'tokensPerSecond'] as const;
type Measured = (typeof MEASURED)[number];
/** Perplexity is the exponential of the loss, smoothed as that. */
export type Quantity = Measured | 'perplexity';

/** One place along the steps, the same for every chart, so that one cursor reads them all. */
export interface CurvePoint {
  /** The steps that it stands for: one, or some where there are more than can be drawn. */
  firstStep: number;
  step: number;
  raw: Record<Quantity, number>;
  smooth: Record<Quantity, number>;
  validationLossNats?: number;
  validationPerplexity?: number;
  /** Share of the held-out rows' loss tokens, 0 to 1. */
  accuracy?: number;
  /** The best evaluation so far stands here. */
  isBest?: boolean;
}

/** More points than pixels say nothing. */
export const MAX_POINTS = 800;
/** TensorBoard's own weight to begin with is 0.6; a step of few rows is noisier than one of theirs. */
export const SMOOTHING = 0.9;

/**
 * At most `limit` points. Where there are more steps they are thinned: as many groups as fit twice, and of each group the least and the
 * greatest value of every quantity, in the order in which they came, so that no spike is lost; the smoothed value is that of the step it
 * stands at. An evaluation stands at the first point that is not before it.
 * @param smoothing weight of the moving average, 0 to below 1
 */
export function curvePoints(
  steps: readonly SeriesStep[],
  evaluations: readonly EvaluationMetrics[],
  { smoothing = SMOOTHING, limit = MAX_POINTS }: { smoothing?: number; limit?: number } = {},
): CurvePoint[] {
  const raw = columnsOf((quantity) => steps.map((step) => step[quantity]));
  const smoothed = columnsOf((quantity) => smooth(raw[quantity], smoothing));
  const points = thinned(steps, raw, smoothed, limit);
  const best = evaluations.findLast(({ isBest }) => isBest);
  let at = 0;
  for (const evaluation of evaluations) {
    const { step, lossNats, accuracy } = evaluation;
    while (at < points.length - 1 && points[at].step < step) at++;
    const point = points[at];
    if (point === undefined) break;
    // Of several at one point the best is not to be lost.
    if (point.isBest === true) continue;
    const validation = { validationLossNats: lossNats, validationPerplexity: Math.exp(lossNats), accuracy };
    points[at] = { ...point, ...validation, isBest: evaluation === best };
  }
  return points;
}

type Columns = Record<Measured, readonly number[]>;

function columnsOf(make: (quantity: Measured) => number[]): Columns {
  return Object.fromEntries(MEASURED.map((quantity) => [quantity, make(quantity)])) as unknown as Columns;
}

function withPerplexity(values: Record<Measured, number>): Record<Quantity, number> {
  return { ...values, perplexity: Math.exp(values.lossNats) };
}

function thinned(steps: readonly SeriesStep[], raw: Columns, smoothed: Columns, limit: number): CurvePoint[] {
  const rowAt = (columns: Columns, at: (quantity: Measured) => number): Record<Quantity, number> =>
    withPerplexity(
      Object.fromEntries(MEASURED.map((quantity) => [quantity, columns[quantity][at(quantity)]])) as unknown as Record<Measured, number>,
    );
  if (steps.length <= limit) {
    return steps.map(({ step }, i) => ({ firstStep: step, step, raw: rowAt(raw, () => i), smooth: rowAt(smoothed, () => i) }));
  }
  const groups = Math.floor(limit / 2);
  return Array.from({ length: groups }, (_, group) => {
    const [start, end] = [Math.floor((group * steps.length) / groups), Math.floor(((group + 1) * steps.length) / groups)];
    const middle = Math.floor((start + end) / 2);
    const ends = Object.fromEntries(MEASURED.map((quantity) => [quantity, extremes(raw[quantity], start, end)])) as unknown as Record<
      Measured,
      [number, number]
    >;
    const firstStep = steps[start].step;
    return [middle - 1, end - 1].map((last, half) => ({
      firstStep,
      step: steps[last].step,
      raw: rowAt(raw, (quantity) => ends[quantity][half]),
      smooth: rowAt(smoothed, () => last),
    }));
  }).flat();
}

/** Where the least and the greatest finite value lie, in order; both at the start where none is finite. */
function extremes(values: readonly number[], start: number, end: number): [number, number] {
  let [least, greatest] = [-1, -1];
  for (let i = start; i < end; i++) {
    if (!Number.isFinite(values[i])) continue;
    if (least < 0 || values[i] < values[least]) least = i;
    if (greatest < 0 || values[i] > values[greatest]) greatest = i;
  }
  return least < 0 ? [start, start] : least < greatest ? [least, greatest] : [greatest, least];
}

const CLIP_SHARE = 0.05;
const MARGIN = 0.05;

/**
 * The range of an axis that leaves out outliers: from the 5th to the 95th percentile of the values, and a twentieth more on each side.
 * Null where there is nothing to show.
 * @source TensorBoard's "Ignore outliers in chart scaling"
 */
export function clippedRange(values: readonly number[]): [number, number] | null {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  const low = sorted[Math.floor(CLIP_SHARE * (sorted.length - 1))];
  const high = sorted[Math.ceil((1 - CLIP_SHARE) * (sorted.length - 1))];
  const margin = (high - low) * MARGIN;
  return [low - margin, high + margin];
}
