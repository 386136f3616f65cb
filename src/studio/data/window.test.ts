import { expect, it } from 'vitest';
import { blocksOf, cellText, drawnRows, ROW_HEIGHT } from '#studio/data/window.ts';

it('draws what is seen and a little around it, never past the ends', () => {
  expect(drawnRows(0, 10 * ROW_HEIGHT, 1_000_000)).toEqual({ start: 0, end: 18 });
  expect(drawnRows(500 * ROW_HEIGHT, 10 * ROW_HEIGHT, 1_000_000)).toEqual({ start: 492, end: 518 });
  expect(drawnRows(990 * ROW_HEIGHT, 10 * ROW_HEIGHT, 1000)).toEqual({ start: 982, end: 1000 });
  expect(drawnRows(0, 400, 0)).toEqual({ start: 0, end: 0 });
});

it('names the blocks that hold the drawn rows', () => {
  expect(blocksOf({ start: 95, end: 101 })).toEqual([0, 1]);
  expect(blocksOf({ start: 100, end: 200 })).toEqual([1]);
  expect(blocksOf({ start: 3, end: 3 })).toEqual([]);
});

it('writes a cell on one line', () => {
  expect(cellText('a\n b')).toBe('a ⏎ b');
  expect(cellText({ a: [1] })).toBe('{"a":[1]}');
  expect(cellText(undefined)).toBe('');
  expect(cellText('x'.repeat(300))).toHaveLength(201);
});
