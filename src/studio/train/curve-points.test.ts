import { expect, it } from 'vitest';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import { clippedRange, curvePoints, MAX_POINTS } from '#studio/train/curve-points.ts';
import type { SeriesStep } from '#studio/train/metric-series.ts';

const steps = (losses: readonly number[], change: (i: number) => Partial<SeriesStep> = () => ({})): SeriesStep[] =>
  losses.map((lossNats, i) => ({ step: i + 1, lossNats, gradientNorm: 1, learningRate: 1e-3, tokensPerSecond: 100, ...change(i) }));
const evaluation = (step: number, lossNats: number, isBest: boolean): EvaluationMetrics => ({
  step,
  epoch: 0,
  lossNats,
  accuracy: 0.5,
  tokens: 9,
  rows: 30,
  isBest,
});

it('smooths without the bias of its start, by the weight that was chosen', () => {
  const [first, second] = curvePoints(steps([4, 2]), []);
  expect(first.smooth.lossNats).toBeCloseTo(4, 12);
  expect(second.smooth.lossNats).toBeCloseTo((0.9 * 0.1 * 4 + 0.1 * 2) / (1 - 0.81), 12);
  expect(first.raw.perplexity).toBeCloseTo(Math.exp(4), 9);
  expect(second.smooth.perplexity).toBeCloseTo(Math.exp(second.smooth.lossNats), 9);
  expect(curvePoints(steps([4, 2]), [], { smoothing: 0 }).map(({ smooth }) => smooth.lossNats)).toEqual([4, 2]);
});

it('leaves a loss that is not finite out of the smoothed line', () => {
  const points = curvePoints(steps([2, Number.NaN, 2]), []);
  expect(points[2].smooth.lossNats).toBeCloseTo(2, 12);
  expect(points[1].raw.lossNats).toBeNaN();
});

it('draws at most so many points, and of each quantity every spike, up and down, among them', () => {
  const losses = Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 9 : i === 4325 ? -3 : 1));
  const points = curvePoints(
    steps(losses, (i) => ({ gradientNorm: i === 77 ? 50 : i === 78 ? 0.25 : 1 })),
    [],
  );
  expect(points).toHaveLength(MAX_POINTS);
  const found = (quantity: 'lossNats' | 'gradientNorm', value: number) => points.filter(({ raw }) => raw[quantity] === value);
  expect(found('lossNats', 9)).toHaveLength(1);
  expect(found('lossNats', -3)).toHaveLength(1);
  expect(found('lossNats', 9)[0].step).toBeLessThan(found('lossNats', -3)[0].step);
  expect([found('gradientNorm', 50).length, found('gradientNorm', 0.25).length]).toEqual([1, 1]);
  expect(points.at(-1)).toMatchObject({ step: 10_000, firstStep: 9976 });
  expect(points.every(({ step, firstStep }, i) => firstStep <= step && (i === 0 || step > points[i - 1].step))).toBe(true);
});

it('draws what is finite of steps that are thinned', () => {
  const losses = Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? Number.NaN : 3));
  expect(curvePoints(steps(losses), []).every(({ raw }) => raw.lossNats === 3)).toBe(true);
});

it('draws each step where there are few, and keeps them all at the limit', () => {
  const points = curvePoints(steps(Array.from({ length: MAX_POINTS }, () => 1)), []);
  expect(points).toHaveLength(MAX_POINTS);
  expect(points.every(({ step, firstStep }) => step === firstStep)).toBe(true);
});

it('puts each evaluation at its step, and keeps the best in sight where points stand for many steps', () => {
  const few = curvePoints(steps([4, 3, 2, 2]), [evaluation(2, 1.79, true), evaluation(4, 1.83, false)]);
  expect(few.map(({ validationLossNats }) => validationLossNats)).toEqual([undefined, 1.79, undefined, 1.83]);
  expect(few[1]).toMatchObject({ isBest: true, accuracy: 0.5 });
  const many = Array.from({ length: 10_000 }, (_, i) => evaluation(i + 1, 2 + i, i === 0));
  const points = curvePoints(steps(many.map(() => 1)), many);
  expect(points.filter(({ isBest }) => isBest === true)).toMatchObject([{ validationLossNats: 2 }]);
  expect(points.at(-1)?.validationLossNats).toBe(10_001);
});

it('shows an axis from the 5th to the 95th percentile, and a twentieth more', () => {
  const values = Array.from({ length: 101 }, (_, i) => i);
  expect(clippedRange([...values.slice(0, 100), 1e9])).toEqual([5 - 4.5, 95 + 4.5]);
  expect(clippedRange([Number.NaN, 3])).toEqual([3, 3]);
  expect(clippedRange([Number.NaN])).toBeNull();
});
