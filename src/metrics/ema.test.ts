import { expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { Ema, smooth } from '#metrics/ema.ts';

it('equals the weighted mean of all values so far, with weights w^age', () => {
  const random = new Random(3);
  const values = Array.from({ length: 60 }, () => random.normal());
  const smoothed = smooth(values, 0.9);
  for (const [n, shown] of smoothed.entries()) {
    let sum = 0;
    let weights = 0;
    for (let i = 0; i <= n; i++) {
      sum += 0.9 ** (n - i) * values[i];
      weights += 0.9 ** (n - i);
    }
    expect(shown).toBeCloseTo(sum / weights, 12);
  }
});

it('starts at the first value and keeps a constant', () => {
  expect(smooth([5, 5, 5], 0.6).map((value) => Number(value.toFixed(12)))).toEqual([5, 5, 5]);
  expect(new Ema(0.99).next(-2)).toBeCloseTo(-2, 12);
});

it('does nothing at weight 0', () => {
  expect(smooth([1, 4, 2], 0)).toEqual([1, 4, 2]);
});

it('shows a value that is not finite and goes on without it', () => {
  const [first, gap, after] = smooth([1, Number.NaN, 3], 0.5);
  expect([first, gap]).toEqual([1, Number.NaN]);
  expect(after).toBe(smooth([1, 3], 0.5)[1]);
});
