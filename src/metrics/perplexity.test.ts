import { expect, it } from 'vitest';
import { perplexity } from '#metrics/perplexity.ts';

it('is the number of equally likely tokens', () => {
  expect(perplexity(0)).toBe(1);
  expect(perplexity(Math.log(1024))).toBeCloseTo(1024, 9);
  expect(perplexity(1000)).toBe(Number.POSITIVE_INFINITY);
});
