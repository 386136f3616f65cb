import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { heldOutCount, RowOrder, splitRows } from '#data/split.ts';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sorted = (rows: number[]): number[] => [...rows].sort((a, b) => a - b);

describe('splitRows', () => {
  it('puts every row on one side', () => {
    for (const count of [1, 2, 3, 10, 101]) {
      for (const heldOut of [0, 0.05, 0.5, 3, 1000]) {
        const { train, heldOut: held } = splitRows(count, heldOut, 5);
        expect(sorted([...train, ...held])).toEqual(range(count));
        expect(held.length).toBe(heldOutCount(count, heldOut));
        expect(train.length).toBeGreaterThan(0);
        expect([train, held]).toEqual([sorted(train), sorted(held)]);
      }
    }
  });

  it.each([
    [100, 0.1, 10],
    [7, 0.1, 1],
    [10, 0.25, 3],
    [1, 0.5, 0],
    [10, 4, 4],
    [10, 10, 9],
    [10, 0, 0],
  ])('holds out of %i rows at %d: %i', (rows, heldOut, expected) => {
    expect(heldOutCount(rows, heldOut)).toBe(expected);
  });

  it('depends on the seed, and on nothing else', () => {
    expect(splitRows(100, 0.2, 1)).toEqual(splitRows(100, 0.2, 1));
    expect(splitRows(100, 0.2, 1)).not.toEqual(splitRows(100, 0.2, 2));
    // The rows themselves are pinned: a change of the generator would silently move rows between the sides of saved runs.
    expect(splitRows(20, 4, 42).heldOut).toEqual([5, 13, 14, 16]);
  });
});

describe('splitRows with groups', () => {
  it('is the plain split where no rows belong together and all have one value', () => {
    for (const [count, heldOut, seed] of [
      [20, 4, 42],
      [101, 0.1, 7],
      [3, 0.5, 1],
    ] as const) {
      const plain = splitRows(count, heldOut, seed);
      expect(splitRows(count, heldOut, seed, { groups: range(count) })).toEqual(plain);
      expect(splitRows(count, heldOut, seed, { strata: new Uint32Array(count) })).toEqual(plain);
      expect(splitRows(count, heldOut, seed, { groups: range(count), strata: new Uint32Array(count) })).toEqual(plain);
    }
  });

  it('leaves every group on one side, and holds out about as many rows as were asked for', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new Random(seed);
      const groups = range(200).map(() => random.below(80));
      const { train, heldOut } = splitRows(200, 0.2, seed, { groups });
      expect(sorted([...train, ...heldOut])).toEqual(range(200));
      const held = new Set(heldOut.map((row) => groups[row]));
      expect(train.filter((row) => held.has(groups[row]))).toEqual([]);
      expect(heldOut.length).toBeGreaterThan(36);
      expect(heldOut.length).toBeLessThanOrEqual(40);
    }
  });

  it('trains on a group that is too large, and never holds out all rows', () => {
    const groups = range(100).map((row) => (row < 60 ? 0 : row));
    const { heldOut } = splitRows(100, 30, 3, { groups });
    expect(heldOut).toHaveLength(30);
    expect(Math.min(...heldOut)).toBeGreaterThanOrEqual(60);
    expect(splitRows(10, 5, 3, { groups: new Array<number>(10).fill(4) })).toEqual({ train: range(10), heldOut: [] });
  });

  it('holds out the smallest group where all are larger than what was asked for', () => {
    const groups = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
    expect(splitRows(11, 1, 5, { groups }).heldOut).toEqual([0, 1, 2]);
    expect(splitRows(11, 0, 5, { groups }).heldOut).toEqual([]);
  });
});

describe('splitRows with strata', () => {
  const countsOf = (rows: readonly number[], strata: readonly number[]): number[] => {
    const counts = new Array<number>(Math.max(...strata) + 1).fill(0);
    for (const row of rows) counts[strata[row]]++;
    return counts;
  };

  it("keeps each value's share, and draws others with another seed", () => {
    const strata = range(1000).map((row) => (row % 10 < 6 ? 0 : row % 10 < 9 ? 1 : 2));
    for (const seed of [1, 2, 3]) expect(countsOf(splitRows(1000, 0.1, seed, { strata }).heldOut, strata)).toEqual([60, 30, 10]);
    expect(splitRows(1000, 0.1, 1, { strata })).toEqual(splitRows(1000, 0.1, 1, { strata }));
    expect(splitRows(1000, 0.1, 1, { strata })).not.toEqual(splitRows(1000, 0.1, 2, { strata }));
  });

  it('rounds to the number that was asked for, no value further than one row from its share', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = new Random(seed);
      const strata = range(300).map(() => Math.floor(5 * random.uniform() ** 2));
      const rows = countsOf(range(300), strata);
      const held = countsOf(splitRows(300, 41, seed, { strata }).heldOut, strata);
      expect(held.reduce((sum, n) => sum + n, 0)).toBe(41);
      for (const [value, n] of held.entries()) expect(Math.abs(n - (rows[value] * 41) / 300)).toBeLessThan(1);
    }
  });

  it('draws equal remainders among the values, by the seed', () => {
    const strata = range(40).map((row) => row % 4);
    const extra = range(200).map((seed) => countsOf(splitRows(40, 6, seed, { strata }).heldOut, strata));
    for (const counts of extra) expect(sorted(counts)).toEqual([1, 1, 2, 2]);
    // Each value has the second row in half of the seeds: 100 of 200, 5 standard deviations are 36.
    for (const value of range(4)) expect(Math.abs(extra.filter((counts) => counts[value] === 2).length - 100)).toBeLessThan(36);
  });

  it('gives rare values their share together, and leaves each a row to train on', () => {
    // 900 rows of one value, and 50 values of two rows: a tenth is held out, so that none of the 50 has a row of its own.
    const strata = range(1000).map((row) => (row < 900 ? 0 : 1 + Math.floor((row - 900) / 2)));
    for (let seed = 0; seed < 20; seed++) {
      const held = countsOf(splitRows(1000, 0.1, seed, { strata }).heldOut, strata);
      expect(held[0]).toBe(90);
      expect(Math.max(...held.slice(1))).toBe(1);
      expect(held.slice(1).reduce((sum, n) => sum + n, 0)).toBe(10);
    }
  });

  it('does not let frequent values round up at the cost of rare ones', () => {
    // 10 values of 48 rows (4.8 each of a tenth), and 100 of two rows (0.2 each, 20 together).
    const strata = range(680).map((row) => (row < 480 ? row % 10 : 10 + ((row - 480) >> 1)));
    const held = countsOf(splitRows(680, 0.1, 2, { strata }).heldOut, strata);
    expect(held.slice(10).reduce((sum, n) => sum + n, 0)).toBe(20);
  });

  it('trains on the one row of a value, unless rare values have no other to hold out', () => {
    const strata = range(40).map((row) => (row < 38 ? 0 : row - 37));
    for (let seed = 0; seed < 20; seed++) expect(Math.max(...splitRows(40, 8, seed, { strata }).heldOut)).toBeLessThan(38);
    const halfRare = range(40).map((row) => (row < 20 ? 0 : row - 19));
    expect(splitRows(40, 10, 3, { strata: halfRare }).heldOut.filter((row) => row < 20)).toHaveLength(5);
    expect(splitRows(40, 10, 3, { strata: range(40) }).heldOut).toHaveLength(10);
  });

  it('goes with groups, also where a group has rows of several values', () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = new Random(seed);
      const groups = range(400).map((row) => (random.below(3) === 0 ? random.below(400) : row));
      const strata = range(400).map(() => random.below(4));
      const { train, heldOut } = splitRows(400, 80, seed, { groups, strata });
      expect(sorted([...train, ...heldOut])).toEqual(range(400));
      const held = new Set(heldOut.map((row) => groups[row]));
      expect(train.filter((row) => held.has(groups[row]))).toEqual([]);
      expect(heldOut).toHaveLength(80);
      const rows = countsOf(range(400), strata);
      for (const [value, n] of countsOf(heldOut, strata).entries()) expect(Math.abs(n - rows[value] / 5)).toBeLessThan(2);
    }
  });

  it('lets shares go before it leaves out rows that were asked for', () => {
    // Pairs of one value each, of which every value may have one row alone.
    const pairs = range(20).map((row) => Math.floor(row / 2));
    expect(splitRows(20, 10, 1, { groups: pairs, strata: pairs }).heldOut).toHaveLength(10);
  });
});

describe('RowOrder', () => {
  it('goes through the rows as they are, with a short last step an epoch', () => {
    const order = new RowOrder(7, 'sequential', 1);
    const steps = range(6).map(() => order.next(3));
    expect(steps).toEqual([[0, 1, 2], [3, 4, 5], [6], [0, 1, 2], [3, 4, 5], [6]]);
    expect(order.state).toEqual({ epoch: 2, index: 0, seed: 1 });
  });

  it('has as many steps an epoch as the Trainer, ceil(rows / step)', () => {
    for (const [rows, step] of [
      [1, 4],
      [8, 4],
      [9, 4],
      [12, 5],
    ] as const) {
      const order = new RowOrder(rows, 'random', 3);
      let steps = 0;
      for (; order.state.epoch === 0; steps++) order.next(step);
      expect(steps).toBe(Math.ceil(rows / step));
    }
  });

  it('gives every row once an epoch, in another order each epoch and seed', () => {
    const epoch = (order: RowOrder): number[] => range(10).flatMap(() => order.next(5));
    const order = new RowOrder(50, 'random', 9);
    const [first, second] = [epoch(order), epoch(order)];
    const other = epoch(new RowOrder(50, 'random', 10));
    for (const rows of [first, second, other]) expect(sorted(rows)).toEqual(range(50));
    expect(new Set([first, second, other, range(50)].map(String)).size).toBe(4);
    expect(epoch(new RowOrder(50, 'random', 9))).toEqual(first);
  });

  it('goes on from any state as if it had never stopped', () => {
    for (const strategy of ['sequential', 'random'] as const) {
      const order = new RowOrder(11, strategy, 4);
      for (let step = 0; step < 9; step++) {
        const resumed = new RowOrder(11, strategy, JSON.parse(JSON.stringify(order.state)));
        const fromStart = new RowOrder(11, strategy, 4);
        for (let i = 0; i < step; i++) fromStart.next(4);
        expect(range(5).map(() => resumed.next(4))).toEqual(range(5).map(() => fromStart.next(4)));
        order.next(4);
      }
    }
  });

  it('spreads the first row evenly over the seeds', () => {
    const counts = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 2000; seed++) counts[new RowOrder(10, 'random', seed).next(1)[0]]++;
    // 200 are expected of each; 5 standard deviations of a binomial are 67.
    expect(Math.max(...counts.map((count) => Math.abs(count - 200)))).toBeLessThan(67);
  });

  it('refuses no rows and a place that the dataset does not have', () => {
    expect(() => new RowOrder(0, 'random', 1)).toThrow('no rows are left to train on');
    expect(() => new RowOrder(5, 'random', { epoch: 1, index: 5, seed: 1 })).toThrow('epoch 1, row 5; the dataset has 5 rows');
    expect(() => new RowOrder(5, 'random', { epoch: 0.5, index: 0, seed: 1 })).toThrow('epoch 0.5');
  });
});
