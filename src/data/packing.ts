/** Packs an optimizer step's rows into few micro-batches of fixed capacities. Knows sequences alone, not where they came from. */
import { invariant } from '#base/errors.ts';
import { type Batch, checkSequence, type Sequence } from '#data/batch.ts';

export interface PackedStep {
  /** In the order of the first row that each holds. */
  batches: Batch[];
  /** Tokens predicted with loss in the whole step: the denominator of the loss. */
  lossTokens: number;
  /** Tokens that are not padding. */
  realTokens: number;
}

/**
 * Packs one optimizer step: best fit decreasing over bins of the largest capacity, then for each bin the smallest capacity that holds it.
 * The same rows in the same order give the same batches; inside a batch rows keep their order.
 * `capacities` ascends. @throws AppError `internal` when a row is longer than the largest capacity: rows are truncated before.
 * @source https://en.wikipedia.org/wiki/Best-fit_bin_packing
 */
export function packStep(sequences: readonly Sequence[], capacities: readonly number[]): PackedStep {
  const largest = capacities.at(-1);
  invariant(
    largest !== undefined && capacities.every((c, i) => Number.isInteger(c) && c > (capacities[i - 1] ?? 0)),
    `capacities must ascend and be whole and positive, found [${capacities.join(', ')}]`,
  );
  let lossTokens = 0;
  let realTokens = 0;
  const batches = assignBins(sequences, largest).map((bin) => {
    const members = bin.map((index) => sequences[index]);
    const used = members.reduce((sum, s) => sum + s.tokens.length, 0);
    const capacity = capacities.find((c) => c >= used) as number;
    const batch = fillBatch(members, capacity);
    lossTokens += batch.lossRowCount;
    realTokens += batch.tokenCount;
    return batch;
  });
  return { batches, lossTokens, realTokens };
}

/** Row indices of each bin, ascending; bins by their first row. */
function assignBins(sequences: readonly Sequence[], binSize: number): number[][] {
  sequences.forEach((sequence, i) => {
    checkSequence(sequence);
    invariant(sequence.tokens.length <= binSize, `row ${i} has ${sequence.tokens.length} tokens, the largest capacity is ${binSize}`);
  });
  const length = (index: number): number => sequences[index].tokens.length;
  const byLength = sequences.map((_, i) => i).sort((a, b) => length(b) - length(a) || a - b);
  const bins: { rows: number[]; free: number }[] = [];
  for (const index of byLength) {
    let best: { rows: number[]; free: number } | undefined;
    for (const bin of bins) {
      if (bin.free >= length(index) && (best === undefined || bin.free < best.free)) best = bin;
    }
    if (best === undefined) {
      best = { rows: [], free: binSize };
      bins.push(best);
    }
    best.rows.push(index);
    best.free -= length(index);
  }
  for (const bin of bins) bin.rows.sort((a, b) => a - b);
  return bins.map((bin) => bin.rows).sort((a, b) => a[0] - b[0]);
}

/** Lays `sequences` one after another into a batch of `capacity` tokens. */
function fillBatch(sequences: readonly Sequence[], capacity: number): Batch {
  const batch: Batch = {
    capacity,
    tokenCount: 0,
    tokens: new Uint32Array(capacity),
    positions: new Uint32Array(capacity),
    segmentStart: Uint32Array.from({ length: capacity }, (_, i) => i),
    segmentEnd: Uint32Array.from({ length: capacity }, (_, i) => i + 1),
    lossRowCount: 0,
    lossRows: new Uint32Array(capacity),
    targets: new Uint32Array(capacity),
    lossWeights: new Float32Array(capacity),
  };
  for (const { tokens, lossMask } of sequences) {
    const start = batch.tokenCount;
    const end = start + tokens.length;
    batch.tokens.set(tokens, start);
    batch.segmentStart.fill(start, start, end);
    batch.segmentEnd.fill(end, start, end);
    for (let i = 0; i < tokens.length; i++) {
      batch.positions[start + i] = i;
      if (lossMask[i] !== 1) continue;
      batch.lossRows[batch.lossRowCount] = start + i - 1;
      batch.targets[batch.lossRowCount] = tokens[i];
      batch.lossWeights[batch.lossRowCount] = 1;
      batch.lossRowCount++;
    }
    batch.tokenCount = end;
  }
  return batch;
}
