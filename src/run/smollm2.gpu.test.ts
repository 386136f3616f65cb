import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, test } from 'vitest';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { layoutLora } from '#engine/methods/lora.ts';
import { type Model, ResidentModel, describeModel } from '#engine/models/model.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';
import { planGenerator } from '#engine/train/generator-plan.ts';
import { Generator } from '#engine/train/generator.ts';
import { computeLogits } from '#engine/train/logits.ts';
import { planTraining } from '#engine/train/training-plan.ts';
import { Training } from '#engine/train/training.ts';
import { openModelFiles } from '#run/open-files.ts';
import { openNodePath } from '#storage/node-files.ts';

interface Fixture {
  bounds: { lossAbsolute: number; logitsMaxAbs: number };
  rows: { tokens: number[]; lossMask: number[] }[];
  lossTokens: number;
  loss: number;
  loss64: number;
  sliceIds: number[];
  logits: {
    row: number;
    token: number;
    topIds: number[];
    topLogits: number[];
    topLogits64: number[];
    sliceLogits: number[];
    sliceLogits64: number[];
  }[];
  generation: { prompt: number[]; tokens: number[] };
}

/** Lavapipe takes two minutes of one core to compile the kernels of a head of 64 and of Q4_1 for the first time. */
const TIMEOUT_MS = 600_000;

const path = process.env.LORATORY_SMOLLM2;
const adapter = process.env.LORATORY_ADAPTER ?? 'the adapter';
const fixture = JSON.parse(readFileSync(new URL('../engine/models/fixtures/smollm2.json', import.meta.url), 'utf8')) as Fixture;

if (!path) console.warn('LORATORY_SMOLLM2 is not set to SmolLM2-135M-Instruct.Q4_1.gguf: the engine is not compared on it');

test('the real checkpoint is there in CI', () => {
  expect({ ci: process.env.CI === 'true', path: path ?? '' }).not.toEqual({ ci: true, path: '' });
});

describe.skipIf(!path)('SmolLM2-135M-Instruct Q4_1 against transformers on the dequantised weights', { timeout: TIMEOUT_MS }, () => {
  let gpu: Gpu;
  let queue: SubmitQueue;
  let model: Model;
  const rows = fixture.rows.map(({ tokens, lossMask }): Sequence => ({
    tokens: Uint32Array.from(tokens),
    lossMask: Uint8Array.from(lossMask),
  }));
  const rowStarts = rows.map((_, i) => rows.slice(0, i).reduce((sum, { tokens }) => sum + tokens.length, 0));
  const capacity = Math.ceil(rows.reduce((sum, { tokens }) => sum + tokens.length, 0) / 32) * 32;

  beforeAll(async () => {
    gpu = await testGpu();
    queue = new SubmitQueue(gpu);
    const { checkpoint } = await openModelFiles(await openNodePath(path as string));
    model = describeModel(checkpoint, gpu.limits);
    const resident = await ResidentModel.upload(gpu, checkpoint, model);
    return () => resident.destroy();
  });

  it('gives the loss of the fixed rows', async () => {
    // LoRA starts as a no-op: B is zero.
    const layout = layoutLora(model, { r: 4, loraAlpha: 4, loraDropout: 0, targetModules: ['q_proj'] });
    const optimizer = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
    const plan = planTraining(model, layout, { capacities: [capacity], recompute: 'every-block', optimizer, maxGradNorm: 0 }, gpu.limits);
    const training = await Training.create(gpu, queue, plan);
    training.writeState({ adapter: new Float32Array(layout.sizeBytes / 4) });
    const { batches, lossTokens } = packStep(rows, [capacity]);
    expect(lossTokens).toBe(fixture.lossTokens);
    const { lossNats } = await training.evaluate(batches, lossTokens);
    training.destroy();
    const from32 = lossNats - fixture.loss;
    const from64 = lossNats - fixture.loss64;
    console.info(`${adapter}: loss ${lossNats}, ${from32.toExponential(1)} from transformers in f32, ${from64.toExponential(1)} in f64`);
    expect(Math.abs(from32)).toBeLessThan(fixture.bounds.lossAbsolute);
    expect(Math.abs(from64)).toBeLessThan(fixture.bounds.lossAbsolute);
  });

  it('gives the logits at the recorded positions', async () => {
    const { batches } = packStep(rows, [capacity]);
    const { vocabSize } = model.config;
    const logits = await computeLogits(gpu, queue, model, batches[0], null);
    let from32 = 0;
    let from64 = 0;
    const compare = (found: ArrayLike<number>, ids: readonly number[], expected32: readonly number[], expected64: readonly number[]) => {
      for (const [i, id] of ids.entries()) {
        expect(Number.isFinite(found[id])).toBe(true);
        from32 = Math.max(from32, Math.abs(found[id] - expected32[i]));
        from64 = Math.max(from64, Math.abs(found[id] - expected64[i]));
      }
    };
    for (const { row, token, topIds, topLogits, topLogits64, sliceLogits, sliceLogits64 } of fixture.logits) {
      const at = rowStarts[row] + token;
      const found = logits.subarray(at * vocabSize, (at + 1) * vocabSize);
      compare(found, topIds, topLogits, topLogits64);
      compare(found, fixture.sliceIds, sliceLogits, sliceLogits64);
      expect(found.indexOf(found.reduce((a, b) => Math.max(a, b)))).toBe(topIds[0]);
    }
    console.info(`${adapter}: logits are up to ${from32.toExponential(1)} from transformers in f32, ${from64.toExponential(1)} in f64`);
    expect(from32).toBeLessThan(fixture.bounds.logitsMaxAbs);
    // Exact values have no rounding of their own to allow for.
    expect(from64).toBeLessThan(1e-4);
  });

  it('continues the chat greedily as transformers does', async () => {
    const { prompt, tokens } = fixture.generation;
    const plan = planGenerator(gpu, model, null, { slots: 1, slotTokens: 64, prefillTokens: 64 });
    const generator = await Generator.create(gpu, queue, plan);
    const [result] = await generator.generate([{ prompt: Uint32Array.from(prompt), maxNewTokens: tokens.length, stopIds: [] }]);
    generator.destroy();
    expect(result?.tokens).toEqual(tokens);
  });
});
