import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { type Batch, lossTokenCount, makeSequence, type Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';

/** The label that transformers gives a token without loss. */
const IGNORED_LABEL = -100;

/** Rows of random lengths with ids that name row and place, so that a moved token is seen. */
function randomRows(random: Random, count: number, longest: number): Sequence[] {
  return Array.from({ length: count }, (_, row) => {
    const tokens = Uint32Array.from({ length: 1 + random.below(longest) }, (_, i) => row * 1000 + i);
    return makeSequence(tokens, () => random.below(3) > 0);
  });
}

/** The rows of a batch read back from its segments alone. */
function unpack(batch: Batch): Sequence[] {
  const rows: Sequence[] = [];
  for (let start = 0; start < batch.tokenCount; start = batch.segmentEnd[start]) {
    const end = batch.segmentEnd[start];
    const lossMask = new Uint8Array(end - start);
    for (let l = 0; l < batch.lossRowCount; l++) {
      const predicted = batch.lossRows[l] + 1;
      if (predicted < start || predicted >= end) continue;
      lossMask[predicted - start] = batch.targets[l] === batch.tokens[predicted] ? 1 : 255;
    }
    rows.push({ tokens: batch.tokens.slice(start, end), lossMask });
  }
  return rows;
}

/** Labels as transformers has them: the token itself where it carries loss, else -100. */
function labels(sequence: Sequence): number[] {
  return Array.from(sequence.tokens, (token, i) => (sequence.lossMask[i] === 1 ? token : IGNORED_LABEL));
}

/** Labels of a batch from its loss rows, by a way that shares nothing with `unpack`. */
function batchLabels(batch: Batch): number[] {
  const out = new Array<number>(batch.capacity).fill(IGNORED_LABEL);
  for (let l = 0; l < batch.lossRowCount; l++) out[batch.lossRows[l] + 1] = batch.targets[l];
  return out;
}

describe('packStep', () => {
  const random = new Random(7);
  const cases = Array.from({ length: 200 }, () => randomRows(random, 1 + random.below(24), 1 + random.below(64)));

  it('gives every row back once, with its tokens and its loss', () => {
    for (const rows of cases) {
      const step = packStep(rows, [16, 32, 64]);
      const seen = step.batches.flatMap(unpack).sort((a, b) => a.tokens[0] - b.tokens[0]);
      expect(seen).toEqual(rows);
    }
  });

  it('has the labels of the rows laid one after another', () => {
    for (const rows of cases) {
      for (const batch of packStep(rows, [64]).batches) {
        const order = unpack(batch).map((row) => rows[Math.floor(row.tokens[0] / 1000)]);
        const expected = order.flatMap(labels);
        expect(batchLabels(batch)).toEqual([...expected, ...new Array<number>(64 - expected.length).fill(IGNORED_LABEL)]);
      }
    }
  });

  it('never mixes segments, and pads as the contract says', () => {
    for (const rows of cases) {
      for (const batch of packStep(rows, [16, 32, 64]).batches) {
        const rowOf = (token: number): number => Math.floor(token / 1000);
        const real = Array.from(batch.tokens.subarray(0, batch.tokenCount));
        const padding = Array.from({ length: batch.capacity - batch.tokenCount }, (_, i) => batch.tokenCount + i);
        const zeros = padding.map(() => 0);
        // Each id says its row and its place, so segments and positions are known without the packer's own bookkeeping.
        const starts = real.map((token) => real.findIndex((other) => rowOf(other) === rowOf(token)));
        const ends = real.map((token) => real.findLastIndex((other) => rowOf(other) === rowOf(token)) + 1);
        expect(Array.from(batch.tokens)).toEqual([...real, ...zeros]);
        expect(Array.from(batch.positions)).toEqual([...real.map((token) => token % 1000), ...zeros]);
        expect(Array.from(batch.segmentStart)).toEqual([...starts, ...padding]);
        expect(Array.from(batch.segmentEnd)).toEqual([...ends, ...padding.map((i) => i + 1)]);
        expect(starts.every((start, i) => ends.slice(start, ends[i]).every((end) => end === ends[i]))).toBe(true);

        const lossRows = Array.from(batch.lossRows.subarray(0, batch.lossRowCount));
        expect(lossRows.every((row) => rowOf(real[row]) === rowOf(real[row + 1]))).toBe(true);
        const rest = [batch.lossRows, batch.targets, batch.lossWeights].map((array) => array.subarray(batch.lossRowCount));
        expect(rest.some((array) => array.some((value) => value !== 0))).toBe(false);
        expect(batch.lossWeights.subarray(0, batch.lossRowCount).every((weight) => weight === 1)).toBe(true);
      }
    }
  });

  it('counts loss tokens and real tokens of the step', () => {
    for (const rows of cases) {
      const step = packStep(rows, [64]);
      expect(step.lossTokens).toBe(rows.reduce((sum, row) => sum + lossTokenCount(row), 0));
      expect(step.realTokens).toBe(rows.reduce((sum, row) => sum + row.tokens.length, 0));
    }
  });

  it('takes the smallest capacity that holds a micro-batch and keeps the order of rows', () => {
    const row = (length: number, id: number): Sequence => makeSequence(new Uint32Array(length).fill(id), () => true);
    const step = packStep([row(20, 1), row(12, 2), row(33, 3), row(16, 4)], [16, 32, 64]);
    // Best fit decreasing: 33 + 20 in one bin of 64 (11 free), 16 + 12 in the next.
    expect(step.batches.map((b) => [b.capacity, b.tokenCount, b.tokens[0]])).toEqual([
      [64, 53, 1],
      [32, 28, 2],
    ]);
  });

  it('needs no more micro-batches than laying rows one after another, and no fewer than their tokens fill', () => {
    for (const rows of cases) {
      const used = packStep(rows, [64]).batches.length;
      let sequential = 1;
      let fill = 0;
      for (const { tokens } of rows) {
        if (fill + tokens.length > 64) {
          sequential++;
          fill = 0;
        }
        fill += tokens.length;
      }
      const least = Math.ceil(rows.reduce((sum, r) => sum + r.tokens.length, 0) / 64);
      expect(used).toBeGreaterThanOrEqual(least);
      expect(used).toBeLessThanOrEqual(sequential);
    }
  });

  it('is deterministic', () => {
    for (const rows of cases.slice(0, 20)) expect(packStep(rows, [32, 64])).toEqual(packStep(rows, [32, 64]));
  });

  it('takes a row that fills a capacity exactly, and a step of no rows', () => {
    const full = makeSequence(new Uint32Array(64).fill(5), () => true);
    expect(packStep([full], [16, 64]).batches.map((b) => [b.capacity, b.lossRowCount])).toEqual([[64, 63]]);
    expect(packStep([], [16])).toEqual({ batches: [], lossTokens: 0, realTokens: 0 });
  });

  it('refuses what can only be our own mistake', () => {
    const row = makeSequence(new Uint32Array(65), () => true);
    expect(() => packStep([row], [16, 64])).toThrow('row 0 has 65 tokens, the largest capacity is 64');
    expect(() => packStep([], [])).toThrow('capacities must ascend');
    expect(() => packStep([], [32, 16])).toThrow('capacities must ascend');
    expect(() => packStep([{ tokens: new Uint32Array(2), lossMask: new Uint8Array([1, 1]) }], [16])).toThrow('the first token');
    expect(() => packStep([{ tokens: new Uint32Array(0), lossMask: new Uint8Array(0) }], [16])).toThrow('no tokens');
  });
});
