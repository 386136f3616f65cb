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

/** What a split keeps to, besides its size. */
export interface SplitOptions {
  /** For each row the number of its group, below `rowCount`: a group goes to one side whole. */
  groups?: ArrayLike<number>;
  /** For each row the number of its value, from 0: each value keeps its share among the held-out rows. */
  strata?: ArrayLike<number>;
}

/**
 * Draws the held-out rows: the same arguments hold out the same rows on every machine. Rows are taken in a shuffled order, a row's group
 * with it, until there are enough; what would be too much is passed over. Groups of one row and strata of one value change nothing.
 *
 * With groups there may be fewer rows than were asked for, as groups are not cut; only where no group is small enough are there more: the
 * smallest one. With strata each value has as many rows as its share comes to, as far as groups let it; values too rare for half a row of
 * their own are drawn together. A value keeps a row in training, unless these have too few rows otherwise.
 */
export function splitRows(rowCount: number, heldOut: number, seed: number, { groups, strata }: SplitOptions = {}): Split {
  const order = stream(seed, 'split').shuffle(range(rowCount));
  const count = heldOutCount(rowCount, heldOut);
  const isHeldOut = new Uint8Array(rowCount);
  const membersOf = groups === undefined ? (row: number): readonly number[] => [row] : memberLists(rowCount, groups);
  const limits = strata === undefined ? null : new StratumLimits(rowCount, strata, count, seed);
  let left = count;
  const take = (rows: readonly number[]): void => {
    for (const row of rows) isHeldOut[row] = 1;
    left -= rows.length;
  };
  type Rule = (rows: readonly number[]) => boolean;
  const any: Rule = () => true;
  // Each round fills what the one before left: a value's last row goes only then, and shares give way only to groups.
  const rounds: Rule[] = limits === null ? [any] : [(rows) => limits.take(rows, true), (rows) => limits.take(rows, false), any];
  for (const fits of rounds) {
    for (const row of order) {
      if (left === 0) break;
      if (isHeldOut[row] === 1) continue;
      const rows = membersOf(row);
      if (rows.length <= left && fits(rows)) take(rows);
    }
  }
  if (count > 0 && left === count) take(smallest(order.map(membersOf), rowCount));
  const ascending = range(rowCount);
  return { heldOut: ascending.filter((row) => isHeldOut[row] === 1), train: ascending.filter((row) => isHeldOut[row] === 0) };
}

/** The rows of each row's group. */
function memberLists(rowCount: number, groups: ArrayLike<number>): (row: number) => readonly number[] {
  const members = new Map<number, number[]>();
  for (let row = 0; row < rowCount; row++) {
    const list = members.get(groups[row]);
    if (list === undefined) members.set(groups[row], [row]);
    else list.push(row);
  }
  return (row) => members.get(groups[row]) ?? [];
}

/** The first of the smallest lists; none where it would leave no row to train on. */
function smallest(lists: readonly (readonly number[])[], rowCount: number): readonly number[] {
  const found = lists.reduce((least, list) => (list.length < least.length ? list : least), lists[0]);
  return found.length < rowCount ? found : [];
}

/** How many rows of each stratum may be held out, and how many were. */
class StratumLimits {
  readonly #strata: ArrayLike<number>;
  /** Of each stratum: the pool whose share it draws on. A value that is frequent enough is a pool of its own. */
  readonly #poolOf: Uint32Array;
  readonly #poolLeft: Uint32Array;
  /** Rows of each stratum that are not held out. */
  readonly #rowsLeft: Uint32Array;

  constructor(rowCount: number, strata: ArrayLike<number>, count: number, seed: number) {
    let stratumCount = 0;
    for (let row = 0; row < rowCount; row++) stratumCount = Math.max(stratumCount, strata[row] + 1);
    this.#strata = strata;
    this.#rowsLeft = new Uint32Array(stratumCount);
    for (let row = 0; row < rowCount; row++) this.#rowsLeft[strata[row]]++;
    // Under half a row a value's own share comes to nothing, however many such values there are: together they get theirs.
    this.#poolOf = Uint32Array.from(this.#rowsLeft, (rows, stratum) => ((rows * count) / rowCount < 0.5 ? stratumCount : stratum));
    const poolRows = new Array<number>(stratumCount + 1).fill(0);
    for (const [stratum, rows] of this.#rowsLeft.entries()) poolRows[this.#poolOf[stratum]] += rows;
    this.#poolLeft = shares(poolRows, count, seed);
  }

  /** Counts `rows` as held out if every stratum among them has as many left. `keepsLast`: and none would be without a row to train on. */
  take(rows: readonly number[], keepsLast: boolean): boolean {
    for (const [taken, row] of rows.entries()) {
      const stratum = this.#strata[row];
      const pool = this.#poolOf[stratum];
      if (this.#poolLeft[pool] === 0 || (keepsLast && this.#rowsLeft[stratum] === 1)) {
        for (const back of rows.slice(0, taken)) {
          this.#poolLeft[this.#poolOf[this.#strata[back]]]++;
          this.#rowsLeft[this.#strata[back]]++;
        }
        return false;
      }
      this.#poolLeft[pool]--;
      this.#rowsLeft[stratum]--;
    }
    return true;
  }
}

/** Whole numbers in proportion to `rows` whose sum is `count`: what rounding down leaves goes to the largest fractions, drawn among equals. */
function shares(rows: readonly number[], count: number, seed: number): Uint32Array {
  const total = rows.reduce((sum, n) => sum + n, 0);
  const exact = rows.map((n) => (n * count) / total);
  const out = Uint32Array.from(exact, Math.floor);
  const missing = count - out.reduce((sum, n) => sum + n, 0);
  const drawn = stream(seed, 'strata').shuffle(range(rows.length));
  const fraction = (i: number): number => exact[i] - Math.floor(exact[i]);
  for (const i of drawn.sort((a, b) => fraction(b) - fraction(a)).slice(0, missing)) out[i]++;
  return out;
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
function stream(seed: number, use: 'split' | 'strata' | 'order', epoch = 0): Random {
  const salt = { split: 0x51ed270b, strata: 0x2545f491, order: Math.imul(epoch + 1, 0x9e3779b1) }[use];
  return new Random(new Random(seed ^ salt).uint32());
}
