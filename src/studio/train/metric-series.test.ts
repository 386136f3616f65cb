import { expect, it } from 'vitest';
import type { EvaluationMetrics, StepMetrics } from '#protocol/trainer.ts';
import { MAX_POINTS, MetricSeries } from '#studio/train/metric-series.ts';

const steps = (losses: readonly number[], from = 1): StepMetrics[] =>
  losses.map((lossNats, i) => ({
    step: from + i,
    epoch: 0,
    lossNats,
    gradientNorm: 1,
    learningRate: 1e-3,
    lossTokens: 1,
    realTokens: 1,
    tokensPerSecond: 1,
    stepMs: 1,
  }));

it('smooths without the bias of its start', () => {
  const series = new MetricSeries();
  series.append(steps([4]));
  series.append(steps([2], 2));
  const [first, second] = series.drawn();
  expect(first?.smoothLossNats).toBeCloseTo(4, 12);
  expect(second?.smoothLossNats).toBeCloseTo((0.9 * 0.1 * 4 + 0.1 * 2) / (1 - 0.81), 12);
  expect(first?.perplexity).toBeCloseTo(Math.exp(4), 9);
});

it('leaves a loss that is not finite out of the smoothed line', () => {
  const series = new MetricSeries();
  series.append(steps([2, Number.NaN, 2]));
  expect(series.drawn().map(({ smoothLossNats }) => smoothLossNats)).toEqual([2, 2, 2].map((value) => expect.closeTo(value, 12) as number));
  expect(series.drawn()[1]?.lossNats).toBeNaN();
});

it('draws at most so many points, and every spike among them', () => {
  const series = new MetricSeries();
  const losses = Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 9 : 1));
  series.append(steps(losses));
  const drawn = series.drawn();
  expect(drawn).toHaveLength(MAX_POINTS);
  expect(drawn.filter(({ lossNats }) => lossNats === 9)).toHaveLength(1);
  expect(drawn.at(-1)?.step).toBe(10_000);
  expect(drawn.every(({ step }, i) => i === 0 || step > (drawn[i - 1]?.step ?? 0))).toBe(true);
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
  expect(series.drawn()[0]?.smoothLossNats).toBeCloseTo(3, 12);
});

it('says when the smoothed loss has turned round', () => {
  const series = new MetricSeries();
  series.append(steps(Array.from({ length: 30 }, () => 1)));
  expect(series.isRising).toBe(false);
  series.append(steps([9], 31));
  expect(series.isRising).toBe(true);
  series.clear();
  series.append(steps([1, 9, 9, 9]));
  expect(series.isRising).toBe(false);
});

const evaluation = (step: number, lossNats: number, isBest: boolean): EvaluationMetrics => ({
  step,
  epoch: 0,
  lossNats,
  accuracy: 0.5,
  tokens: 9,
  rows: 30,
  isBest,
});

it('puts each evaluation at its step, and knows the last and the best', () => {
  const series = new MetricSeries();
  series.append(steps([4, 3, 2, 2]));
  series.appendEvaluation(evaluation(2, 1.79, true));
  series.appendEvaluation(evaluation(4, 1.83, false));
  const drawn = series.drawn();
  expect(drawn.map(({ validationLossNats }) => validationLossNats)).toEqual([undefined, 1.79, undefined, 1.83]);
  expect(drawn[1]?.validationPerplexity).toBeCloseTo(Math.exp(1.79), 12);
  expect([series.lastEvaluation?.step, series.bestEvaluation?.step]).toEqual([4, 2]);
  series.clear();
  expect([series.lastEvaluation, series.bestEvaluation]).toEqual([null, null]);
});

it('keeps every evaluation in sight where points stand for many steps', () => {
  const series = new MetricSeries();
  series.append(steps(Array.from({ length: 10_000 }, () => 1)));
  for (let step = 1000; step <= 10_000; step += 1000) series.appendEvaluation(evaluation(step, step, false));
  const seen = series.drawn().filter((point) => point.validationLossNats !== undefined);
  expect(seen.map(({ validationLossNats }) => validationLossNats)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 1000));
  expect(seen.every(({ step, validationLossNats = 0 }) => step >= validationLossNats && step - validationLossNats < 13)).toBe(true);
});

it('forgets what is measured again, and smooths on as if it had never been', () => {
  const [straight, resumed] = [new MetricSeries(), new MetricSeries()];
  straight.append(steps([4, 3, 2, 1]));
  resumed.append(steps([4, 3, 9, 9, 9]));
  resumed.appendEvaluation(evaluation(2, 3, true));
  resumed.appendEvaluation(evaluation(4, 9, false));
  resumed.wentBack(2);
  expect([resumed.length, resumed.lastEvaluation?.step]).toEqual([2, 2]);
  resumed.append(steps([2, 1], 3));
  expect(resumed.drawn().map(({ smoothLossNats }) => smoothLossNats)).toEqual(straight.drawn().map(({ smoothLossNats }) => smoothLossNats));
  // Steps that come again cut off by themselves what came after them.
  resumed.append(steps([7], 2));
  expect(resumed.drawn().map(({ step, lossNats }) => [step, lossNats])).toEqual([
    [1, 4],
    [2, 7],
  ]);
  expect(resumed.evaluations).toEqual([]);
});
