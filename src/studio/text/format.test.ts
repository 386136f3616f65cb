import { expect, it } from 'vitest';
import { ago, bytes, compact, duration, loss, parameters, percent, perplexity, rate, share } from '#studio/text/format.ts';

it('writes numbers with units and no more digits than they deserve', () => {
  expect([999, 1_500, 2_034_000, 134_515_008, 1_235_000_000].map(parameters)).toEqual(['999', '1.5K', '2.0M', '135M', '1.2B']);
  expect([12, 1536, 4_100_000, 200 * 2 ** 20, 3 * 2 ** 30].map(bytes)).toEqual(['12 B', '1.5 KiB', '3.9 MiB', '200 MiB', '3.0 GiB']);
  expect([1.83492, 12.34, Number.NaN].map(loss)).toEqual(['1.835', '12.3', 'not finite']);
  expect([1.2, 54.21, 1234.5, 3.2e7].map(perplexity)).toEqual(['1.20', '54.2', '1,235', '3.2e+7']);
  expect([6000, 100_000, 3_240_000].map(compact)).toEqual(['6K', '100K', '3.24M']);
  expect([9.87, 1234].map(rate)).toEqual(['9.9', '1,234']);
  expect([0, 59.4, 60, 130, 3600, 3_900, 7_199].map(duration)).toEqual(['0 s', '59 s', '1 min', '2 min 10 s', '1 h', '1 h 5 min', '2 h']);
  expect([0, 0.999, 1].map(percent)).toEqual(['0 %', '99 %', '100 %']);
});

it('says how long ago something was', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');
  const said = ['2026-03-01T11:59:30Z', '2026-03-01T11:50:00Z', '2026-03-01T10:59:00Z', '2026-02-26T11:00:00Z', '2026-03-01T12:00:05Z'];
  expect(said.map((then) => ago(then, now))).toEqual(['just now', '10 minutes ago', '1 hour ago', '3 days ago', 'just now']);
  expect([0.613_24, 1].map(share)).toEqual(['61.3 %', '100.0 %']);
});
