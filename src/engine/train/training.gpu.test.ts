import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import { RowOrder } from '#data/split.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { initialLora, layoutLora } from '#engine/methods/lora.ts';
import { type Model, ResidentModel, describeModel } from '#engine/models/model.ts';
import { planGenerator } from '#engine/train/generator-plan.ts';
import { Generator } from '#engine/train/generator.ts';
import { readParityCase, rowsOfTable } from '#engine/train/testing/parity-fixture.ts';
import { type StepReport, TrainerControl, runTrainer } from '#engine/train/trainer.ts';
import { type TrainingOptions, planTraining } from '#engine/train/training-plan.ts';
import { Training } from '#engine/train/training.ts';

const OPTIONS: TrainingOptions = {
  capacities: [48, 96],
  recompute: 'none',
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  maxGradNorm: 1,
};
const LORA = { r: 4, loraAlpha: 8, loraDropout: 0, targetModules: 'all-linear' as const };

describe('Training', () => {
  // A device of its own: the ledger's peak must be this run's alone.
  let gpu: Gpu;
  let queue: SubmitQueue;
  let model: Model;
  let rows: Sequence[];

  beforeAll(async () => {
    gpu = await openGpu(nodeGpu());
    queue = new SubmitQueue(gpu);
    const parity = await readParityCase('tied-gqa');
    model = describeModel(parity.checkpoint, gpu.limits);
    await ResidentModel.upload(gpu, parity.checkpoint, model);
    rows = rowsOfTable(parity.fixture.curve!.table);
  });
  afterAll(() => gpu.destroy());

  async function create(options: Partial<TrainingOptions> = {}, lora: Partial<typeof LORA> = {}): Promise<Training> {
    const layout = layoutLora(model, { ...LORA, ...lora });
    const training = await Training.create(gpu, queue, planTraining(model, layout, { ...OPTIONS, ...options }, gpu.limits));
    training.writeState({ adapter: initialLora(layout, 1) });
    return training;
  }

  const stepOf = (step: number, training: Training, rate = 5e-3) => {
    const chosen = [0, 1, 2, 3].map((i) => rows[(4 * step + i) % rows.length]);
    const { batches, lossTokens } = packStep(chosen, training.plan.options.capacities);
    return training.step({ batches, lossTokens, learningRate: rate, step, seed: 7 });
  };

  it('plans the bytes that the ledger then sees', async () => {
    const before = gpu.ledger.liveBytes;
    const training = await create();
    for (let step = 0; step < 3; step++) await (await stepOf(step, training)).result;
    const planned = totalBytes(training.plan.bytes);
    expect(before).toBe(model.weightBytes);
    expect(Math.abs(gpu.ledger.peakBytes / planned - 1)).toBeLessThan(0.02);
    training.destroy();
    expect(gpu.ledger.liveBytes).toBe(before);
  });

  it('makes no buffer, bind group, pipeline or query set in 200 steps, and learns', async () => {
    const training = await create();
    const losses: number[] = [];
    const before = { ...gpu.counts };
    for (let step = 0; step < 200; step++) {
      const { result } = await stepOf(step, training);
      losses.push((await result).lossNats);
    }
    expect(gpu.counts).toEqual(before);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(losses.slice(-12))).toBeLessThan(0.5 * mean(losses.slice(0, 12)));
    training.destroy();
  }, 300_000);

  it('gives the same bits for the same seed, with dropout, and others for another seed', async () => {
    const run = async (seed: number) => {
      const training = await create({}, { loraDropout: 0.3 });
      for (let step = 0; step < 4; step++) {
        const { batches, lossTokens } = packStep(rows.slice(0, 4), OPTIONS.capacities);
        await (
          await training.step({ batches, lossTokens, learningRate: 1e-2, step, seed })
        ).result;
      }
      const { adapter, first, second } = await training.readState();
      training.destroy();
      return [adapter, first, second].map((values) => new Uint32Array(values.buffer));
    };
    const once = await run(1);
    expect(await run(1)).toEqual(once);
    expect(await run(2)).not.toEqual(once);
  });

  it('leaves everything as it is when the gradient is not finite, and says so', async () => {
    const training = await create();
    await (
      await stepOf(0, training)
    ).result;
    const before = await training.readState();
    const poisoned = before.adapter.slice();
    poisoned[0] = Infinity;
    training.writeState({ ...before, adapter: poisoned });
    const { isFinite } = await (await stepOf(1, training)).result;
    expect(isFinite).toBe(false);
    const after = await training.readState();
    expect(new Uint32Array(after.adapter.buffer)).toEqual(new Uint32Array(poisoned.buffer));
    expect(new Uint32Array(after.first.buffer)).toEqual(new Uint32Array(before.first.buffer));
    training.destroy();
  });

  it('measures loss without changing anything', async () => {
    const training = await create();
    const { batches, lossTokens } = packStep(rows.slice(0, 4), OPTIONS.capacities);
    const evaluated = await training.evaluate(batches, lossTokens);
    const before = await training.readAdapter();
    const { result } = await training.step({ batches, lossTokens, learningRate: 0, step: 0, seed: 0 });
    expect((await result).lossNats).toBe(evaluated.lossNats);
    expect(await training.readAdapter()).toEqual(before);
    training.destroy();
  });

  it('pauses, resumes and stops between steps, and generates the same text while it trains', async () => {
    const training = await create();
    const generator = await Generator.create(gpu, queue, planGenerator(gpu, model, null, { slots: 1, slotTokens: 32, prefillTokens: 8 }));
    const request = { prompt: Uint32Array.from([3, 5, 7]), maxNewTokens: 12, stopIds: [] };
    const [quiet] = await generator.generate([request]);
    const control = new TrainerControl();
    const reports: StepReport[] = [];
    const pauses: number[] = [];
    const whileTraining: Promise<unknown>[] = [];
    const done = runTrainer({
      startStep: 0,
      training,
      sequences: rows,
      order: new RowOrder(rows.length, 'random', 3),
      rowsPerStep: 4,
      totalSteps: 40,
      schedule: { type: 'linear', warmupSteps: 2, totalSteps: 40, peak: 5e-3 },
      seed: 3,
      control,
      onStep: (report) => {
        reports.push(report);
        if (report.step === 2) whileTraining.push(generator.generate([request]).then(([during]) => expect(during).toEqual(quiet)));
        if (report.step === 5) control.pause();
        if (report.step === 20) control.stop();
      },
      onPause: (step) => {
        pauses.push(step);
        control.resume();
      },
    });
    const steps = await done;
    await Promise.all(whileTraining);
    expect(whileTraining).toHaveLength(1);
    expect(pauses).toHaveLength(1);
    expect(pauses[0]).toBeGreaterThanOrEqual(5);
    expect(steps).toBeGreaterThanOrEqual(20);
    expect(steps).toBeLessThan(30);
    expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: steps }, (_, i) => i + 1));
    expect(reports[0].rows).toHaveLength(4);
    generator.destroy();
    training.destroy();
  });

  it('gives its memory back when it cannot be made', async () => {
    const before = gpu.ledger.liveBytes;
    const plan = planTraining(model, layoutLora(model, LORA), OPTIONS, gpu.limits);
    const broken = {
      ...plan,
      update: {
        ...plan.update,
        dispatches: [{ ...plan.update.dispatches[0], kernel: { ...plan.update.dispatches[0].kernel, name: 'broken', source: 'no WGSL' } }],
      },
    };
    await expect(Training.create(gpu, queue, broken)).rejects.toThrow(/the training step|does not compile/);
    expect(gpu.ledger.liveBytes).toBe(before);
  });
});
