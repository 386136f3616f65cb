import { describe, expect, it } from 'vitest';
import { type SplitSlice, parseSplit, rowsOfSplit } from '#data/split-syntax.ts';
import fixture from './fixtures/splits.json' with { type: 'json' };

// Written by reference/split_syntax.py: null where `datasets` refuses the split.
const CASES = fixture.cases as unknown as { rowCount: number; splits: Record<string, [number, number][] | null> }[];

/** A local file is the split `train`, and all that there is. */
const isKnown = (slices: readonly SplitSlice[]) => slices.every(({ name }) => name === 'train' || name === 'all');

function rowsOf(split: string, rowCount: number): number[] | null {
  const slices = parseSplit(split);
  if ('found' in slices || !isKnown(slices)) return null;
  try {
    return rowsOfSplit(slices, rowCount);
  } catch {
    return null;
  }
}

describe('the syntax of splits', () => {
  it.each(CASES)('gives the rows that `datasets` gives, and refuses what it refuses, of $rowCount rows', ({ rowCount, splits }) => {
    expect(Object.keys(splits).length).toBeGreaterThan(40);
    for (const [split, ranges] of Object.entries(splits)) {
      const expected = ranges?.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)) ?? null;
      expect([split, rowsOf(split, rowCount)]).toEqual([split, expected]);
    }
  });

  it.each([
    ['train[5]', { found: 'train[5]', expected: /^a split as train, train\[:80%\], / }],
    ['train[:3] + train[::2]', { found: 'train[::2]', expected: /^a split as / }],
    ['', { found: 'nothing', expected: /^a split as / }],
    ['train[:120%]', { found: 'train[:120%]', expected: /^percentages from -100 to 100$/ }],
    ['train[:5%](up)', { found: 'the rounding up', expected: /^closest or pct1_dropremainder$/ }],
    ['train[:5](closest)', { found: 'train[:5](closest)', expected: /^a rounding after percentages alone$/ }],
    ['train[:5%]+train[90%:](pct1_dropremainder)', { found: 'train[:5%] + train[90%:](pct1_dropremainder)', expected: /^one rounding / }],
  ])('says of %j what was found and what was expected', (text, { found, expected }) => {
    expect(parseSplit(text)).toEqual({ found, expected: expect.stringMatching(expected) as string });
  });

  it('names the split whose hundredth would be no row', () => {
    const slices = parseSplit('train[:5%](pct1_dropremainder)') as SplitSlice[];
    const message = 'train[:5%](pct1_dropremainder): 99 rows were found, at least 100 were expected for pct1_dropremainder';
    expect(() => rowsOfSplit(slices, 99)).toThrow(message);
    expect(rowsOfSplit(slices, 199)).toEqual([0, 1, 2, 3, 4]);
  });
});
