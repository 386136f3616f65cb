import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sequence } from '#data/batch.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { fromPeftTensors, layoutLora } from '#engine/methods/lora.ts';
import { type Model, ResidentModel, describeModel } from '#engine/models/model.ts';
import { type Table, readParityCase, rowsOfTable } from '#engine/train/testing/parity-fixture.ts';
import type { TrainingState } from '#engine/train/training.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { readCheckpointState, readTrainingState } from '#run/checkpoint.ts';
import { evaluateRows } from '#run/evaluation.ts';
import { LoraRun, isSameVariant, planRun } from '#run/lora-run.ts';
import { type EvaluationReport, MemoryCheckpoints, type RunHooks, type RunOutcome, trainRun } from '#run/training-run.ts';

interface EvaluationFixture {
  case: 'tied-gqa';
  bound: number;
  table: Table;
  evaluations: { batchSize: number; evalLoss64: number; evalMeanTokenAccuracy: number }[];
}

const fixture = JSON.parse(readFileSync(new URL('../engine/train/fixtures/evaluation.json', import.meta.url), 'utf8')) as EvaluationFixture;

const RECIPE: Recipe = {
  ...DEFAULTS,
  model: 'tiny',
  data_files: ['rows'],
  mapping: { kind: 'text', column: 'text' },
  loss_on: 'all',
  lora_r: 3,
  lora_dropout: 0.2,
  per_device_train_batch_size: 3,
  max_steps: 14,
  learning_rate: 1e-2,
  warmup_ratio: 0.2,
  seed: 11,
  save_steps: 4,
  save_total_limit: null,
  eval_steps: 3,
};
const IDENTITY = { modelName: 'tiny', modelKey: 'key', rows: 'rows' };

describe('trainRun', () => {
  let gpu: Gpu;
  let queue: SubmitQueue;
  let model: Model;
  let rows: Sequence[];
  let heldOut: Sequence[];
  /** Of the token that training rows have least: it becomes less likely with every step, so that the best comes before the last. */
  let strange: Sequence[];

  beforeAll(async () => {
    gpu = await openGpu(nodeGpu());
    queue = new SubmitQueue(gpu);
    const parity = await readParityCase('tied-gqa');
    model = describeModel(parity.checkpoint, gpu.limits);
    await ResidentModel.upload(gpu, parity.checkpoint, model);
    rows = rowsOfTable(parity.fixture.curve!.table);
    heldOut = rowsOfTable(fixture.table);
    const counts = new Map(Array.from({ length: model.config.vocabSize }, (_, token) => [token, 0]));
    for (const token of rows.flatMap(({ tokens }) => [...tokens])) counts.set(token, (counts.get(token) ?? 0) + 1);
    const [rarest] = [...counts].reduce((a, b) => (b[1] < a[1] ? b : a));
    strange = heldOut.map(({ tokens, lossMask }) => ({ tokens: tokens.map(() => rarest), lossMask }));
  });
  afterAll(() => gpu.destroy());

  const lengths = (of: readonly Sequence[]) => of.map(({ tokens }) => tokens.length);
  const bits = ({ adapter, first, second }: TrainingState) => [adapter, first, second].map((values) => new Uint32Array(values.buffer));

  interface Trained {
    outcome: RunOutcome;
    state: TrainingState;
    checkpoints: MemoryCheckpoints;
    evaluations: EvaluationReport[];
    steps: number[];
    losses: number[];
  }

  /** `stopAfter`: the user stops once the step is reported. `from`: files of a checkpoint. */
  async function train(
    change: Partial<Recipe> = {},
    {
      from,
      stopAfter,
      hooks,
      keepAll,
      measured = heldOut,
    }: {
      from?: Record<string, Uint8Array>;
      stopAfter?: number;
      hooks?: Partial<RunHooks>;
      keepAll?: boolean;
      measured?: Sequence[];
    } = {},
  ): Promise<Trained> {
    const recipe = { ...RECIPE, ...change };
    const kept = from ? readCheckpointState(from) : null;
    const plan = planRun(model, recipe, lengths(rows), gpu, { validationLengths: lengths(measured), variant: kept?.variant });
    if (kept) expect(isSameVariant(kept.variant, plan.variant)).toBe(true);
    const state = from ? await readTrainingState(plan.layout, from) : {};
    const run = await LoraRun.create(
      gpu,
      queue,
      plan,
      { sequences: rows, validation: { sequences: measured, rowCount: measured.length } },
      state,
    );
    const checkpoints = new MemoryCheckpoints();
    if (keepAll) checkpoints.prune = async () => {};
    const trained = { checkpoints, evaluations: [] as EvaluationReport[], steps: [] as number[], losses: [] as number[] };
    try {
      const outcome = await trainRun({
        run,
        identity: IDENTITY,
        checkpoints,
        from: kept?.position ?? null,
        hooks: {
          onStep: ({ step, lossNats }) => {
            trained.steps.push(step);
            trained.losses.push(lossNats);
            if (step === stopAfter) run.control.stop();
          },
          onEvaluation: (report) => trained.evaluations.push(report),
          ...hooks,
        },
      });
      return { outcome, state: await run.training.readState(), ...trained };
    } finally {
      run.destroy();
    }
  }

  it("finds transformers' eval_loss and TRL's token accuracy of the same rows, for two batch sizes", async () => {
    const { adapter, fixture: parity } = await readParityCase(fixture.case);
    const { r, alpha, targetModules } = parity.lora;
    const change = { lora_r: r, lora_alpha: alpha, target_modules: targetModules, lora_dropout: 0 };
    const plan = planRun(model, { ...RECIPE, ...change }, lengths(rows), gpu, { validationLengths: lengths(heldOut) });
    const layout = layoutLora(model, { r, loraAlpha: alpha, loraDropout: 0, targetModules });
    const values = fromPeftTensors(layout, adapter);
    const run = await LoraRun.create(gpu, queue, plan, { sequences: rows, validation: null }, { adapter: values });
    for (const { batchSize, evalLoss64, evalMeanTokenAccuracy } of fixture.evaluations) {
      const found = await evaluateRows(run.training, heldOut, batchSize);
      expect(Math.abs(found.lossNats - evalLoss64)).toBeLessThan(fixture.bound);
      expect(found.accuracy).toBeCloseTo(evalMeanTokenAccuracy, 6);
      expect(found.rows).toBe(heldOut.length);
    }
    run.destroy();
  });

  it('goes on from every checkpoint, and from where it was stopped, with the bits of the run that never stopped', async () => {
    const whole = await train({}, { keepAll: true });
    expect(whole.outcome).toMatchObject({ endedBy: 'steps', adapterStep: 14 });
    for (const step of [4, 8, 12]) {
      const resumed = await train({}, { from: await whole.checkpoints.read(step) });
      expect(resumed.steps).toEqual(Array.from({ length: 14 - step }, (_, i) => step + 1 + i));
      expect(bits(resumed.state)).toEqual(bits(whole.state));
      expect(resumed.outcome.position).toEqual(whole.outcome.position);
    }
    const stopped = await train({}, { stopAfter: 6 });
    expect(stopped.outcome.endedBy).toBe('stopped');
    const { files, step } = (await stopped.checkpoints.latest()) as { files: Record<string, Uint8Array>; step: number };
    expect(step).toBe(stopped.outcome.position.step);
    expect(step).toBeLessThan(14);
    const resumed = await train({}, { from: files });
    expect(bits(resumed.state)).toEqual(bits(whole.state));
  }, 300_000);

  it('measures every so many steps without changing a bit, and keeps the best', async () => {
    const plain = await train({ eval_strategy: 'no', save_strategy: 'no' });
    const measured = await train({ load_best_model_at_end: false });
    expect(bits(measured.state)).toEqual(bits(plain.state));
    expect(measured.evaluations.map(({ step }) => step)).toEqual([3, 6, 9, 12, 14]);
    expect(plain.evaluations.map(({ step }) => step)).toEqual([14]);
    expect(plain.evaluations[0].lossNats).toBe(measured.evaluations.at(-1)!.lossNats);

    const wanted = { load_best_model_at_end: true };
    const best = await train(wanted, { measured: strange });
    const least = best.evaluations.reduce((a, b) => (b.lossNats < a.lossNats ? b : a));
    expect(least.step).toBeLessThan(14);
    expect(best.outcome.position.best).toEqual({ step: least.step, metric: least.lossNats });
    expect(best.outcome.adapterStep).toBe(least.step);
    const kept = await readTrainingState((await planOf(wanted)).layout, await best.checkpoints.read(least.step));
    expect(bits({ ...best.state, adapter: kept.adapter })).toEqual(bits(best.state));
    const last = await train({}, { measured: strange });
    expect(bits(last.state)[0]).not.toEqual(bits(best.state)[0]);
  }, 300_000);

  const planOf = async (change: Partial<Recipe>) =>
    planRun(model, { ...RECIPE, ...change }, lengths(rows), gpu, { validationLengths: lengths(heldOut) });

  it('ends by itself when evaluations bring no gain, and a run that was stopped early goes on when it gets more patience', async () => {
    const change = { eval_steps: 1, max_steps: 40 };
    const ended = await train({ ...change, early_stopping_patience: 2 }, { measured: strange });
    expect(ended.outcome.endedBy).toBe('early');
    const { step, best } = ended.outcome.position;
    expect(step).toBeLessThan(40);
    expect(step - best!.step).toBeGreaterThanOrEqual(2);
    expect(ended.evaluations.at(-1)!.step).toBe(step);
    const { files } = (await ended.checkpoints.latest()) as { files: Record<string, Uint8Array> };
    const further = await train({ ...change, max_steps: step + 2 }, { from: files, measured: strange });
    expect(further.outcome).toMatchObject({ endedBy: 'steps', position: { step: step + 2 } });
  }, 300_000);

  it('does not judge by too few rows', async () => {
    const change = { eval_steps: 1, early_stopping_patience: 1, load_best_model_at_end: true };
    const ended = await train(change, { measured: strange.slice(0, 19) });
    expect(ended.outcome).toMatchObject({ endedBy: 'steps', adapterStep: 14, position: { best: null } });
    expect(ended.evaluations.some(({ isBest }) => isBest)).toBe(false);
  }, 120_000);

  it('pauses when a checkpoint cannot be written, tries again when it is resumed, and loses nothing', async () => {
    const whole = await train();
    const notSaved: number[] = [];
    const plan = await planOf({});
    const run = await LoraRun.create(gpu, queue, plan, { sequences: rows, validation: { sequences: heldOut, rowCount: heldOut.length } });
    const checkpoints = new MemoryCheckpoints();
    const write = checkpoints.write.bind(checkpoints);
    let isFull = true;
    checkpoints.write = (step, files) => (isFull ? Promise.reject(new Error('full')) : write(step, files));
    const saved: number[] = [];
    await trainRun({
      run,
      identity: IDENTITY,
      checkpoints,
      from: null,
      hooks: {
        onStep: () => {},
        onNotSaved: (step) => notSaved.push(step),
        onSaved: ({ step }) => saved.push(step),
        onPause: (_, why) => {
          expect(why).toBe('not-saved');
          isFull = false;
          queueMicrotask(() => run.control.resume());
        },
      },
    });
    expect(notSaved).toEqual([4]);
    expect(saved[0]).toBeLessThan(8);
    expect(saved.at(-1)).toBe(14);
    expect(bits(await run.training.readState())).toEqual(bits(whole.state));
    run.destroy();
  }, 120_000);

  it('takes the bytes that were planned, evaluation of longer rows included', async () => {
    const before = gpu.ledger.liveBytes;
    const plan = await planOf({});
    const run = await LoraRun.create(gpu, queue, plan, { sequences: rows, validation: { sequences: heldOut, rowCount: heldOut.length } });
    expect(gpu.ledger.liveBytes - before + model.weightBytes).toBe(totalBytes(plan.training.bytes));
    run.destroy();
    expect(gpu.ledger.liveBytes).toBe(before);
  });
});
