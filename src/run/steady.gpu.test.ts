import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import type { Sequence } from '#data/batch.ts';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { ResidentModel, describeModel } from '#engine/models/model.ts';
import { readParityCase, rowsOfTable } from '#engine/train/testing/parity-fixture.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { LoraRun, planRun } from '#run/lora-run.ts';
import { MemoryCheckpoints, trainRun } from '#run/training-run.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const STEPS = 1000;
/** After this many steps all that is made once has been made. */
const WARM = 200;
/** A checkpoint may still wait for the collector; the arrays of a batch (3 KB) that leak, a step, come to 2.4 MB. */
const ARRAY_GROWTH_BYTES = 600_000;
/** What the compiler keeps comes and goes by about a megabyte; objects of 2 KB that leak, a step, pass this. */
const HEAP_GROWTH_BYTES = 1_600_000;

it('holds the same memory after 1,000 steps with evaluations and checkpoints: ledger, heap, number of GPU objects', async () => {
  const gpu = await openGpu(nodeGpu());
  const queue = new SubmitQueue(gpu);
  const parity = await readParityCase('tied-gqa');
  const model = describeModel(parity.checkpoint, gpu.limits);
  await ResidentModel.upload(gpu, parity.checkpoint, model);
  const rows: Sequence[] = rowsOfTable(parity.fixture.curve!.table);
  const recipe: Recipe = {
    ...DEFAULTS,
    model: 'tiny',
    data_files: ['rows'],
    mapping: { kind: 'text', column: 'text' },
    loss_on: 'all',
    lora_r: 4,
    per_device_train_batch_size: 2,
    max_steps: STEPS,
    logging_steps: 20,
    eval_steps: 50,
    save_steps: 50,
  };
  const lengths = rows.map(({ tokens }) => tokens.length);
  const plan = planRun(model, recipe, lengths, gpu, { validationLengths: lengths });
  const run = await LoraRun.create(gpu, queue, plan, { sequences: rows, validation: { sequences: rows, rowCount: rows.length } });
  const measure = async () => {
    // Mapped buffers are given back a turn after what held them was collected.
    for (let i = 0; i < 3; i++) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return { heapBytes: heapUsed, arrayBuffers, counts: { ...gpu.counts }, live: gpu.ledger.liveBytes, peak: gpu.ledger.peakBytes };
  };
  const seen: Awaited<ReturnType<typeof measure>>[] = [];
  await trainRun({
    run,
    identity: { modelName: 'tiny', modelKey: 'key', rows: 'rows' },
    checkpoints: new MemoryCheckpoints(),
    from: null,
    hooks: {
      onStep: () => {},
      onBoundary: async (step) => {
        // Between two checkpoints, when none is being written.
        if (step > WARM && step % WARM === 25) seen.push(await measure());
      },
    },
  });
  const [first, ...later] = seen;
  expect(later).toHaveLength(STEPS / WARM - 2);
  for (const { heapBytes, arrayBuffers, counts, live, peak } of later) {
    expect([counts, live, peak]).toEqual([first.counts, first.live, first.peak]);
    expect(arrayBuffers - first.arrayBuffers).toBeLessThan(ARRAY_GROWTH_BYTES);
    expect(heapBytes - first.heapBytes).toBeLessThan(HEAP_GROWTH_BYTES);
  }
  gpu.destroy();
}, 300_000);
