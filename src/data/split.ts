/** Which rows are held out, and in which order the others are seen. Knows row numbers alone. */
import { AppError, invariant } from '#base/errors.ts';
import { Random } from '#base/random.ts';

/** Numbers of rows, ascending. */
export interface Split {
  train: number[];
  heldOut: number[];
}

/** How many of `rowCount` rows `heldOut` means: below 1 a share (rounded, at least one row), else a number. One row is left to train on. */
export function heldOutCount(rowCount: number, heldOut: number): number {
  if (heldOut <= 0) return 0;
  const wanted = heldOut < 1 ? Math.max(1, Math.round(rowCount * heldOut)) : Math.floor(heldOut);
  return Math.max(0, Math.min(wanted, rowCount - 1));
}

/** Draws the held-out rows: the same `seed` and `rowCount` hold out the same rows on every machine. */
export function splitRows(rowCount: number, heldOut: number, seed: number): Split {
  const shuffled = stream(seed, 'split').shuffle(range(rowCount));
  const count = heldOutCount(rowCount, heldOut);
  const ascending = (a: number, b: number): number => a - b;
  return { heldOut: shuffled.slice(0, count).sort(ascending), train: shuffled.slice(count).sort(ascending) };
}

/** The names of transformers' `train_sampling_strategy`. */
export type SamplingStrategy = 'sequential' | 'random';

/** Where a run stands in its data; plain, for a checkpoint. */
export interface RowOrderState {
  /** Epochs that are complete. */
  epoch: number;
  /** Rows of the current epoch that were given out. */
  index: number;
  seed: number;
}

/**
 * The order in which rows are trained on, epoch after epoch. `random` draws a new permutation an epoch from (seed, epoch), so
 * any place is reached from its state alone. An optimizer step never spans two epochs: the last one of an epoch takes what is left, as
 * transformers' Trainer does with `drop_last=False`.
 * @source transformers 5.24 trainer.py (set_initial_training_values, _run_epoch)
 */
export class RowOrder {
  readonly rowCount: number;
  readonly strategy: SamplingStrategy;
  #state: RowOrderState;
  #permutation: number[] | undefined;

  /**
   * @throws AppError `data/no-rows` when there is nothing to train on, `data/invalid` when `state` cannot be one of `rowCount` rows.
   */
  constructor(rowCount: number, strategy: SamplingStrategy, from: number | RowOrderState) {
    if (rowCount < 1)
      throw new AppError('data/no-rows', 'no rows are left to train on, at least one was expected', { found: 0, expected: 1 });
    const state = typeof from === 'number' ? { epoch: 0, index: 0, seed: from } : from;
    const whole = Number.isInteger(state.epoch) && Number.isInteger(state.index) && Number.isInteger(state.seed);
    if (!whole || state.epoch < 0 || state.index < 0 || state.index >= rowCount) {
      const found = `epoch ${state.epoch}, row ${state.index}`;
      throw new AppError('data/invalid', `the saved place in the data is ${found}; the dataset has ${rowCount} rows`, {
        found,
        expected: rowCount,
      });
    }
    this.rowCount = rowCount;
    this.strategy = strategy;
    this.#state = { ...state };
  }

  get state(): RowOrderState {
    return { ...this.#state };
  }

  /** The next `count` rows, or those that are left of the epoch when they are fewer. */
  next(count: number): number[] {
    invariant(count >= 1, `${count} rows were asked for`);
    const { epoch, index, seed } = this.#state;
    this.#permutation ??= this.strategy === 'random' ? stream(seed, 'order', epoch).shuffle(range(this.rowCount)) : range(this.rowCount);
    const rows = this.#permutation.slice(index, index + count);
    const next = index + rows.length;
    if (next < this.rowCount) {
      this.#state = { epoch, index: next, seed };
    } else {
      this.#state = { epoch: epoch + 1, index: 0, seed };
      this.#permutation = undefined;
    }
    return rows;
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Generators of their own for what is drawn from one seed: one drawn for a split must say nothing about an order. */
function stream(seed: number, use: 'split' | 'order', epoch = 0): Random {
  const salt = use === 'split' ? 0x51ed270b : Math.imul(epoch + 1, 0x9e3779b1);
  return new Random(new Random(seed ^ salt).uint32());
}
