import { describe, expect, it } from 'vitest';
import { describeModel } from '#engine/models/model.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';
import { engineLogits } from '#run/records/engine-logits.ts';
import { fixedAdapter } from '#run/records/fixed-adapter.ts';
import { RECORD_CASES, openRecordCase, readAdapterRecords } from '#run/records/record-cases.ts';

const records = readAdapterRecords();
/** Lavapipe takes two minutes of one core to compile the kernels of a head of 64 and of Q4_1 for the first time. */
const TIMEOUT_MS = 600_000;

describe.each(RECORD_CASES)('the logits that PEFT computed with our adapter: $name', (found) => {
  const { base, name } = found;
  const { bound, sample } = records[name];

  it.skipIf(base === null)('are the ones that the engine computes', { timeout: TIMEOUT_MS }, async () => {
    const gpu = await testGpu();
    const { checkpoint, tokens } = await openRecordCase({ ...found, base: base as string });
    const model = describeModel(checkpoint, gpu.limits);
    const logits = await engineLogits(gpu, checkpoint, model, tokens, fixedAdapter(model, found.r, name));
    let difference = 0;
    for (const [i, position] of sample.positions.entries()) {
      for (const [j, id] of sample.vocabIds.entries()) {
        const value = logits[position * model.config.vocabSize + id];
        expect(Number.isFinite(value)).toBe(true);
        difference = Math.max(difference, Math.abs(value - sample.logits[i][j]));
      }
    }
    console.info(`${name}, ${gpu.adapter.description}: ${difference.toExponential(1)} from PEFT's logits in f64`);
    expect(sample.positions.length * sample.vocabIds.length).toBeGreaterThanOrEqual(96);
    expect(difference).toBeLessThan(bound);
  });
});
