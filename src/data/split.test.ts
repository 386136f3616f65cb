import { describe, expect, it } from 'vitest';
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
