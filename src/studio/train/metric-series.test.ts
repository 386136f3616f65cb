import { expect, it } from 'vitest';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import { MetricSeries, type SeriesStep } from '#studio/train/metric-series.ts';

const steps = (losses: readonly number[], from = 1): SeriesStep[] =>
  losses.map((lossNats, i) => ({ step: from + i, lossNats, gradientNorm: 1, learningRate: 1e-3, tokensPerSecond: 1 }));
const evaluation = (step: number, lossNats: number, isBest: boolean): EvaluationMetrics => ({
  step,
  epoch: 0,
  lossNats,
  accuracy: 0.5,
  tokens: 9,
  rows: 30,
  isBest,
});

it('tells its listeners, and starts anew', () => {
  const series = new MetricSeries();
  let told = 0;
  const off = series.subscribe(() => told++);
  series.append(steps([1]));
  series.clear();
  off();
  series.append(steps([3]));
  expect([told, series.length, series.version]).toEqual([2, 1, 3]);
  expect(series.steps).toEqual(steps([3]));
});

it('knows the last evaluation and the best', () => {
  const series = new MetricSeries();
  series.append(steps([4, 3, 2, 2]));
  series.appendEvaluation(evaluation(2, 1.79, true));
  series.appendEvaluation(evaluation(4, 1.83, false));
  expect([series.lastEvaluation?.step, series.bestEvaluation?.step]).toEqual([4, 2]);
  series.clear();
  expect([series.lastEvaluation, series.bestEvaluation]).toEqual([null, null]);
});

it('forgets what is measured again', () => {
  const series = new MetricSeries();
  series.append(steps([4, 3, 9, 9, 9]));
  series.appendEvaluation(evaluation(2, 3, true));
  series.appendEvaluation(evaluation(4, 9, false));
  series.wentBack(2);
  expect([series.length, series.lastEvaluation?.step]).toEqual([2, 2]);
  series.append(steps([2, 1], 3));
  expect(series.steps.map(({ lossNats }) => lossNats)).toEqual([4, 3, 2, 1]);
  // Steps that come again cut off by themselves what came after them.
  series.append(steps([7], 2));
  expect(series.steps.map(({ step, lossNats }) => [step, lossNats])).toEqual([
    [1, 4],
    [2, 7],
  ]);
  expect(series.evaluations).toEqual([]);
});
