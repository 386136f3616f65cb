import { expect, it } from 'vitest';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import { diverging, flat, mostTruncated, overFitting, rateFarFromUsual } from '#studio/train/run-warnings.ts';

const steps = (losses: readonly number[], rate: (i: number) => number = () => 1e-3) =>
  losses.map((lossNats, i) => ({ step: i + 1, lossNats, learningRate: rate(i) }));
const line = (length: number, at: (i: number) => number) => Array.from({ length }, (_, i) => at(i));
const evaluations = (losses: readonly number[]): EvaluationMetrics[] =>
  losses.map((lossNats, i) => ({ step: 10 * (i + 1), epoch: 0, lossNats, accuracy: 0.5, tokens: 9, rows: 30, isBest: false }));

it('tells of a smoothed loss that has risen half a nat above its lowest', () => {
  expect(diverging(steps([...line(30, () => 1), ...line(10, () => 2)]))).toMatchObject({ kind: 'diverging', lowest: 1 });
  expect(diverging(steps([...line(30, () => 1), ...line(10, () => 1.4)]))).toBeNull();
  // One bad batch is no turn.
  expect(diverging(steps([...line(30, () => 1), 4]))).toBeNull();
  // Nor are the first steps.
  expect(diverging(steps([1, 9, 9, 9]))).toBeNull();
  expect(diverging(steps([...line(30, () => 1), ...line(10, () => Number.NaN)]))).toBeNull();
});

it('tells of a loss that has hardly moved since the warmup', () => {
  expect(flat(steps(line(60, (i) => 3 + (i % 2) / 100)))).toMatchObject({ kind: 'flat', steps: 60 });
  expect(flat(steps(line(60, (i) => 3 - i / 100)))).toBeNull();
  expect(flat(steps(line(59, () => 3)))).toBeNull();
  // All is learnt already.
  expect(flat(steps(line(60, () => 0.05)))).toBeNull();
  // The rate still rises: nothing can be said.
  expect(
    flat(
      steps(
        line(80, () => 3),
        (i) => (i < 60 ? i * 1e-5 : 2e-3),
      ),
    ),
  ).toBeNull();
});

it('tells of held-out rows that become worse while those of training become better', () => {
  const falling = steps(line(50, (i) => 3 - i / 20));
  expect(overFitting(falling, evaluations([2, 1.5, 1.6, 1.7]))).toEqual({ kind: 'overFitting', bestStep: 20, best: 1.5, now: 1.7 });
  expect(overFitting(falling, evaluations([2, 1.5, 1.4, 1.3]))).toBeNull();
  // Within noise, or only once.
  expect(overFitting(falling, evaluations([2, 1.5, 1.51, 1.52]))).toBeNull();
  expect(overFitting(falling, evaluations([2, 1.5, 1.7]))).toBeNull();
  expect(overFitting(falling, evaluations([2, 1.5, 1.49, 1.7]))).toBeNull();
  // Both rise: that diverges.
  expect(overFitting(steps(line(50, (i) => 1 + i / 20)), evaluations([2, 1.5, 1.6, 1.7]))).toBeNull();
  expect(overFitting(falling, [])).toBeNull();
});

it('tells of a rate that is far from the usual for a model of this size', () => {
  const recipe = (learning_rate: number) => ({ learning_rate, method: 'lora' as const });
  expect(rateFarFromUsual(recipe(5e-3), 135e6)).toEqual({ kind: 'unusualRate', is: 'high', rate: 5e-3, usual: 5e-4 });
  expect(rateFarFromUsual(recipe(1e-5), 135e6)).toMatchObject({ is: 'low' });
  expect(rateFarFromUsual(recipe(5e-4), 135e6)).toBeNull();
  expect(rateFarFromUsual(recipe(5e-3), 2e6)).toBeNull();
  expect(rateFarFromUsual(recipe(5e-3), null)).toBeNull();
  expect(rateFarFromUsual(null, 135e6)).toBeNull();
});

it('tells when more than half of the rows are cut off', () => {
  const report = (count: number) => ({ truncatedRows: { count }, rowCount: 10 });
  expect(mostTruncated(report(6))).toEqual({ kind: 'mostTruncated', rows: 6, of: 10 });
  expect(mostTruncated(report(5))).toBeNull();
  expect(mostTruncated(null)).toBeNull();
});
