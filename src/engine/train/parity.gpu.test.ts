import { beforeAll, describe, expect, it } from 'vitest';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { type LoraLayout, fromPeftTensors, layoutLora, toPeftTensors } from '#engine/methods/lora.ts';
import { type Model, ResidentModel, describeModel } from '#engine/models/model.ts';
import { maxDifference, relativeError } from '#engine/ops/testing/compare.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';
import { planGenerator } from '#engine/train/generator-plan.ts';
import { Generator } from '#engine/train/generator.ts';
import { computeLogits } from '#engine/train/logits.ts';
import { learningRate } from '#engine/train/schedule.ts';
import {
  type FloatTensors,
  PARITY_CASES,
  type ParityCase,
  below,
  readParityCase,
  rowsOfTable,
} from '#engine/train/testing/parity-fixture.ts';
import { type TrainingOptions, planTraining } from '#engine/train/training-plan.ts';
import { Training } from '#engine/train/training.ts';

const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
const OPTIONS: TrainingOptions = { capacities: [64], recompute: 'none', optimizer: ADAMW, maxGradNorm: 0 };

describe.each(PARITY_CASES)('parity with transformers and PEFT: %s', (name) => {
  let gpu: Gpu;
  let queue: SubmitQueue;
  let parity: ParityCase;
  let model: Model;
  let layout: LoraLayout;
  let adapter: Float32Array;
  let rows: Sequence[];

  beforeAll(async () => {
    gpu = await testGpu();
    queue = new SubmitQueue(gpu);
    parity = await readParityCase(name);
    model = describeModel(parity.checkpoint, gpu.limits);
    await ResidentModel.upload(gpu, parity.checkpoint, model);
    layout = layoutOf(model, parity);
    adapter = fromPeftTensors(layout, parity.adapter);
    rows = rowsOfTable(parity.fixture.batch);
  });

  it('gives the logits of every row, packed and one at a time, base and LoRA', async () => {
    const { vocabSize } = model.config;
    for (const kind of ['base', 'lora'] as const) {
      const tuned = kind === 'lora' ? { layout, values: adapter } : null;
      const expected = parity.expected.get(`${kind}.logits`)!.data;
      const { batches } = packStep(rows, [rows.reduce((sum, row) => sum + row.tokens.length, 0)]);
      expect(batches).toHaveLength(1);
      const packed = await computeLogits(gpu, queue, model, batches[0], tuned);
      expect(maxDifference(packed, expected)).toBeLessThan(parity.fixture.bounds.logitsMaxAbs);
      let at = 0;
      for (const row of rows) {
        const single = await computeLogits(gpu, queue, model, packStep([row], [row.tokens.length]).batches[0], tuned);
        const part = expected.subarray(at, at + row.tokens.length * vocabSize);
        expect(maxDifference(single, part)).toBeLessThan(parity.fixture.bounds.logitsMaxAbs);
        at += part.length;
      }
    }
  });

  it('gives the loss and every LoRA gradient: packed, row by row, recomputed, in small chunks', async () => {
    const { fixture, expected } = parity;
    const expectedGradients = below(expected, 'lora.grad/');
    expect(expectedGradients.size).toBe(2 * layout.modules.length);
    const variants: [string, Partial<TrainingOptions>, boolean][] = [
      ['packed', {}, false],
      ['one row a micro-batch', { capacities: [48] }, true],
      ['recomputed', { recompute: 'every-block' }, false],
      ['small loss chunks', { lossChunkRows: 8 }, false],
    ];
    const bits: Float32Array[] = [];
    for (const [label, options, isRowByRow] of variants) {
      const training = await Training.create(gpu, queue, planTraining(model, layout, { ...OPTIONS, ...options }, gpu.limits));
      training.writeState({ adapter });
      const { batches, lossTokens } = pack(rows, training, isRowByRow);
      const result = await training.gradients(batches, lossTokens);
      expect(Math.abs(result.lossNats / fixture.lora.loss - 1), `${label}: loss`).toBeLessThan(1e-5);
      const flat = await training.readGradients();
      bits.push(flat);
      expectTensors(label, toPeftTensors(layout, flat), expectedGradients, fixture.bounds.gradientRelative);
      training.destroy();
    }
    expect(new Uint32Array(bits[2].buffer), 'recompute gives the same bits').toEqual(new Uint32Array(bits[0].buffer));
  });

  it('gives the same numbers when no binding is larger than 64 KiB', async () => {
    const small = await testGpu({ maxBindingBytes: 65536 });
    const smallModel = describeModel(parity.checkpoint, small.limits);
    const resident = await ResidentModel.upload(small, parity.checkpoint, smallModel);
    const smallLayout = layoutOf(smallModel, parity);
    const training = await Training.create(
      small,
      new SubmitQueue(small),
      planTraining(smallModel, smallLayout, { ...OPTIONS, capacities: [192] }, small.limits),
    );
    training.writeState({ adapter });
    const { batches, lossTokens } = packStep(rows, [192]);
    const result = await training.gradients(batches, lossTokens);
    expect(Math.abs(result.lossNats / parity.fixture.lora.loss - 1)).toBeLessThan(1e-5);
    expectTensors(
      '64 KiB',
      toPeftTensors(smallLayout, await training.readGradients()),
      below(parity.expected, 'lora.grad/'),
      parity.fixture.bounds.gradientRelative,
    );
    training.destroy();
    resident.destroy();
  });

  it('follows the 50-step curve: warmup, schedule, accumulation, clipping', async () => {
    const { curve, bounds, lora } = parity.fixture;
    if (!curve) {
      expect(name).toBe('bias');
      return;
    }
    const { recipe } = curve;
    const table = rowsOfTable(curve.table);
    for (const run of curve.runs) {
      const training = await Training.create(
        gpu,
        queue,
        planTraining(
          model,
          layout,
          { ...OPTIONS, capacities: [48, 96], optimizer: { ...ADAMW, weightDecay: recipe.weightDecay }, maxGradNorm: recipe.maxGradNorm },
          gpu.limits,
        ),
      );
      const initial = fromPeftTensors(layout, below(parity.expected, 'curve.initial/'));
      training.writeState({ adapter: initial });
      for (let step = 0; step < recipe.steps; step++) {
        const { batches, lossTokens } = packStep(
          curve.rowsOfStep[step].map((row) => table[row]),
          [48, 96],
        );
        expect(lossTokens).toBe(run.lossTokens[step]);
        const rate = learningRate(step, {
          type: run.schedule,
          warmupSteps: recipe.warmupSteps,
          totalSteps: recipe.steps,
          peak: recipe.learningRate,
        });
        expect(Math.abs(rate - run.learningRate[step])).toBeLessThan(1e-12);
        const { result } = await training.step({ batches, lossTokens, learningRate: rate, step, seed: 0 });
        const { lossNats, gradientNorm, isFinite } = await result;
        expect(isFinite).toBe(true);
        expect(Math.abs(lossNats / run.loss[step] - 1), `loss of step ${step}`).toBeLessThan(bounds.curveLossRelative);
        expect(Math.abs(gradientNorm / run.gradNorm[step] - 1), `gradient norm of step ${step}`).toBeLessThan(5e-3);
      }
      const learnt = toPeftTensors(layout, await training.readAdapter());
      expect(
        adapterDistance(learnt, below(parity.expected, `curve.final.${run.schedule}/`), below(parity.expected, 'curve.initial/')),
      ).toBeLessThan(bounds.curveAdapterRelative);
      training.destroy();
    }
    expect(lora.r).toBeGreaterThan(0);
  }, 300_000);

  it('generates what transformers generates, base and LoRA, several prompts at a time', async () => {
    const { prompts, base, lora } = parity.fixture.generation;
    for (const [expected, tuned] of [
      [base, null],
      [lora, layout],
    ] as const) {
      const generator = await Generator.create(
        gpu,
        queue,
        planGenerator(gpu, model, tuned, { slots: 2, slotTokens: 64, prefillTokens: 16 }),
      );
      if (tuned) gpu.device.queue.writeBuffer(generator.adapterBuffer!, 0, adapter as Float32Array<ArrayBuffer>);
      const results = await generator.generate(
        prompts.map((prompt) => ({ prompt: Uint32Array.from(prompt), maxNewTokens: 16, stopIds: [] })),
      );
      expect(results.map(({ tokens }) => tokens)).toEqual(expected);
      const sampled = await generator.generate(
        prompts.map((prompt) => ({
          prompt: Uint32Array.from(prompt),
          maxNewTokens: 4,
          stopIds: [],
          choose: (logits) => logits.indexOf(Math.max(...logits)),
        })),
      );
      expect(sampled.map(({ tokens }) => tokens)).toEqual(expected.map((tokens) => tokens.slice(0, 4)));
      generator.destroy();
    }
  });
});

function layoutOf(model: Model, { fixture }: ParityCase): LoraLayout {
  return layoutLora(model, { r: fixture.lora.r, loraAlpha: fixture.lora.alpha, loraDropout: 0, targetModules: fixture.lora.targetModules });
}

function pack(rows: Sequence[], training: Training, isRowByRow: boolean) {
  const { capacities } = training.plan.options;
  if (!isRowByRow) return packStep(rows, capacities);
  const steps = rows.map((row) => packStep([row], capacities));
  return { batches: steps.flatMap(({ batches }) => batches), lossTokens: steps.reduce((sum, step) => sum + step.lossTokens, 0) };
}

function expectTensors(label: string, found: { name: string; data: Float32Array }[], expected: FloatTensors, bound: number): void {
  for (const { name, data } of found) expect(relativeError(data, expected.get(name)!.data), `${label}: ${name}`).toBeLessThan(bound);
}

/** Length of the difference of two learnt adapters, relative to the length of what was learnt. */
function adapterDistance(found: { name: string; data: Float32Array }[], expected: FloatTensors, initial: FloatTensors): number {
  let difference = 0;
  let length = 0;
  for (const { name, data } of found) {
    const e = expected.get(name)!.data;
    const s = initial.get(name)!.data;
    for (let i = 0; i < e.length; i++) {
      difference += (data[i] - e[i]) ** 2;
      length += (e[i] - s[i]) ** 2;
    }
  }
  return Math.sqrt(difference / length);
}
