import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { WeightType } from '#formats/weights.ts';
import type { Tensor } from '#engine/graph/tensor.ts';
import { NO_ROW } from '#engine/ops/batch/batch-layout.ts';
import { lossGradientReference, lossReference } from '#engine/ops/linear-cross-entropy/linear-cross-entropy.ref.ts';
import { linearCrossEntropy, reduceLoss } from '#engine/ops/linear-cross-entropy/linear-cross-entropy.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { randomWeight } from '#engine/ops/testing/random-weight.ts';
import { type OpInput, runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  tokens: number;
  lossRows: number;
  width: number;
  vocab: number;
  type?: WeightType;
  chunkRows?: number;
  maxBindingBytes?: number;
  /** Hidden states are multiplied by this. */
  scale?: number;
  weights?: boolean;
  gradient?: boolean;
}

const control: Case = { name: 'control', tokens: 24, lossRows: 13, width: 64, vocab: 96 };
const cases: Case[] = [
  control,
  { ...control, name: 'weights other than 1', weights: true },
  { ...control, name: 'one loss row', lossRows: 1 },
  { ...control, name: 'all rows masked', lossRows: 0 },
  { ...control, name: 'a loss row for every token', lossRows: 24 },
  { ...control, name: 'a vocabulary of 320', vocab: 320 },
  { ...control, name: 'a prime vocabulary', vocab: 1031 },
  { ...control, name: 'a vocabulary wide enough for 64 lanes', vocab: 8201 },
  { ...control, name: 'chunks of one row', chunkRows: 1 },
  { ...control, name: 'chunks of 3 rows', chunkRows: 3 },
  { ...control, name: 'chunks of 8 rows', chunkRows: 8 },
  { ...control, name: 'chunks whose gradients are not aligned', width: 36, chunkRows: 3 },
  { ...control, name: 'a head in shards', tokens: 300, lossRows: 211, vocab: 1031, maxBindingBytes: 65536, weights: true },
  { ...control, name: 'a q4_1 head', type: 'q4_1', vocab: 1031 },
  { ...control, name: 'a q4_1 head in shards', type: 'q4_1', width: 1024, vocab: 320, maxBindingBytes: 65536 },
  { ...control, name: 'no gradient wanted', gradient: false },
  { ...control, name: 'logits up to 1e4', scale: 1e4 },
];

/** `count` of `tokens`' indices in ascending order, seeded. */
function someTokens(count: number, tokens: number, random: Random): number[] {
  const all = Array.from({ length: tokens }, (_, i) => i);
  return random
    .shuffle(all)
    .slice(0, count)
    .sort((a, b) => a - b);
}

function batchOf(c: Case) {
  const random = new Random(7);
  const lossRows = new Uint32Array(c.tokens);
  lossRows.set(someTokens(c.lossRows, c.tokens, random));
  const lossRowOf = new Uint32Array(c.tokens).fill(NO_ROW);
  for (let row = 0; row < c.lossRows; row++) lossRowOf[lossRows[row]] = row;
  const targets = Uint32Array.from({ length: c.tokens }, (_, row) => (row < c.lossRows ? random.below(c.vocab) : 0));
  if (c.lossRows > 0) targets[c.lossRows - 1] = c.vocab - 1;
  const weight = (row: number) => (c.weights ? [0.5, 3, 0, 1.25][row % 4] : 1);
  const lossWeights = Float32Array.from({ length: c.tokens }, (_, row) => (row < c.lossRows ? weight(row) : 0));
  return { lossRows, lossRowOf, targets, lossWeights };
}

function headerOf(lossRowCount: number, inverseLossTokens: number, microBatch = 0): Uint32Array {
  const header = new Uint32Array(8);
  header[1] = lossRowCount;
  header[2] = microBatch;
  new Float32Array(header.buffer)[4] = inverseLossTokens;
  return header;
}

function tensorsOf(t: Record<string, Tensor>) {
  return {
    lossRows: t['lossRows'],
    lossRowOf: t['lossRowOf'],
    targets: t['targets'],
    lossWeights: t['lossWeights'],
    header: t['header'],
  };
}

describe('linear-cross-entropy', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const head = randomWeight('head', c.type ?? 'f32', c.vocab, c.width, 3, gpu.limits);
      if (c.maxBindingBytes) expect(head.matrix.shards.length).toBeGreaterThan(1);
      const hidden = randomValues(c.tokens * c.width, 1, c.scale ?? 1);
      const batch = batchOf(c);
      const inverseLossTokens = 1 / 19;
      const wantsGradient = c.gradient ?? true;
      const vector = (data: Uint32Array | Float32Array): OpInput => ({ shape: [data.length], data });
      const result = await runOp(gpu, {
        inputs: {
          hidden: { shape: [c.tokens, c.width], data: hidden, ...(wantsGradient ? { gradient: 'activation' } : {}) },
          lossRows: vector(batch.lossRows),
          lossRowOf: vector(batch.lossRowOf),
          targets: vector(batch.targets),
          lossWeights: vector(batch.lossWeights),
          header: vector(headerOf(c.lossRows, inverseLossTokens)),
          sums: vector(new Float32Array(4).fill(123)),
        },
        weights: [head],
        build: (r, t) => {
          const loss = linearCrossEntropy(r, t['hidden'], head.matrix, tensorsOf(t), { chunkRows: c.chunkRows });
          reduceLoss(r, loss.losses, loss.correct, tensorsOf(t), t['sums']);
          const kernels = new Set(r.dispatches.map((dispatch) => dispatch.kernel.name));
          expect(kernels.has('logits-gradient')).toBe(wantsGradient);
          return { ...loss, sums: t['sums'] };
        },
        outputGradients: {},
        lossRows: c.lossRows,
      });
      const shape = { tokens: c.tokens, width: c.width, vocab: c.vocab };
      const reference = {
        hidden,
        head: head.values,
        lossRows: batch.lossRows.subarray(0, c.lossRows),
        targets: batch.targets,
        lossWeights: batch.lossWeights,
        inverseLossTokens,
      };
      const expected = lossReference(shape, reference);
      const sums = result.outputs['sums'];
      const weights = batch.lossWeights.subarray(0, c.lossRows);
      assertClose('losses', result.outputs['losses'].subarray(0, c.lossRows), expected.losses, 2e-6);
      expect([...result.outputs['correct'].subarray(0, c.lossRows)]).toEqual([...expected.correct]);
      const weightedLoss = expected.losses.reduce((sum, loss, i) => sum + loss * weights[i], 0);
      assertClose('sum of losses', sums.subarray(0, 1), [weightedLoss], 2e-6);
      expect([...sums.subarray(1)]).toEqual([expected.correct.reduce((a, b) => a + b, 0), weights.reduce((a, b) => a + b, 0), c.lossRows]);
      if (!wantsGradient) return;
      const gradient = result.gradients['hidden'];
      assertClose('hidden.gradient', gradient, lossGradientReference(shape, reference), 2e-6);
      for (let token = 0; token < c.tokens; token++) {
        if (batch.lossRowOf[token] !== NO_ROW) continue;
        expect(gradient.subarray(token * c.width, (token + 1) * c.width).every((g) => g === 0)).toBe(true);
      }
    });
  }

  it.each([301, 8301])('gives the lowest index on ties, in every lane and place: %d columns', async (vocab) => {
    const gpu = await testGpu();
    const [width, tokens] = [4, 6];
    const values = new Float32Array(vocab * width);
    const { matrix } = randomWeight('head', 'f32', vocab, width, 1, gpu.limits);
    // Column 17 is the fifth lane's, 256 the first lane's. The last token sees all signs turned: its largest logits begin at 0.
    const ties = [17, 18, 19, 256, 280, 300];
    for (let j = 0; j < vocab; j++) values[j * width] = ties.includes(j) ? 2 : 1;
    const hidden = new Float32Array(tokens * width);
    for (let token = 0; token < tokens; token++) hidden[token * width] = token === 5 ? -1 : 1;
    const targets = Uint32Array.from([17, 18, 280, 300, 0, 0]);
    const index = Uint32Array.from({ length: tokens }, (_, i) => i);
    const result = await runOp(gpu, {
      inputs: {
        hidden: { shape: [tokens, width], data: hidden },
        lossRows: { shape: [tokens], data: index },
        lossRowOf: { shape: [tokens], data: index },
        targets: { shape: [tokens], data: targets },
        lossWeights: { shape: [tokens], data: new Float32Array(tokens).fill(1) },
        header: { shape: [8], data: headerOf(tokens, 1) },
      },
      weights: [{ matrix, planes: [new Uint8Array(values.buffer)] }],
      build: (r, t) => {
        return { correct: linearCrossEntropy(r, t['hidden'], matrix, tensorsOf(t)).correct };
      },
    });
    expect([...result.outputs['correct']]).toEqual([1, 0, 0, 0, 0, 1]);
  });

  it('adds up the sums of a step over its micro-batches, and does not read rows past the count', async () => {
    const gpu = await testGpu();
    const capacity = 200;
    const losses = randomValues(capacity, 1).fill(NaN, 130);
    const correct = Float32Array.from({ length: capacity }, (_, i) => (i < 130 ? i % 2 : NaN));
    const weights = Float32Array.from({ length: capacity }, (_, i) => (i < 130 ? 0.5 + (i % 3) : 0));
    const result = await runOp(gpu, {
      inputs: {
        losses: { shape: [capacity], data: losses },
        correct: { shape: [capacity], data: correct },
        lossWeights: { shape: [capacity], data: weights },
        header: { shape: [8], data: headerOf(130, 1, 1) },
        sums: { shape: [4], data: Float32Array.from([10, 20, 30, 40]) },
      },
      build: (r, t) => {
        reduceLoss(r, t['losses'], t['correct'], tensorsOf(t), t['sums']);
        return { sums: t['sums'] };
      },
      times: 1,
    });
    const weighted = losses.subarray(0, 130).reduce((sum, loss, i) => sum + loss * weights[i], 0);
    const total = weights.reduce((a, b) => a + b, 0);
    const sums = result.outputs['sums'];
    expect([sums[1], sums[3]]).toEqual([20 + 65, 40 + 130]);
    assertClose('sums of losses and weights', [sums[0], sums[2]], [10 + weighted, 30 + total], 1e-6);
  });
});
