import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AppError, toWire } from '#base/errors.ts';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import { type FakePage, openFakePage } from '#studio/testing/fake-page.ts';

const evaluation = (step: number, lossNats: number, isBest: boolean): EvaluationMetrics => ({
  step,
  epoch: 0,
  lossNats,
  accuracy: 0.5,
  tokens: 9,
  rows: 30,
  isBest,
});
const runId = 'run-1';

let page: FakePage;
const run = () => page.studio.run.getState();
const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 10_000, interval: 5 });

beforeEach(async () => {
  page = openFakePage();
  await page.studio.begin();
  await until(() => page.studio.project.getState().estimate !== null);
});
afterEach(() => page.close());

it('hands over the held-out rows, and follows what they measure', async () => {
  await page.studio.startRun();
  expect(page.trainer.started[0]?.validation).toMatchObject({ rowCount: 1 });
  expect(run().started?.validationRows).toBe(1);
  page.trainer.emit('evaluation', { runId, evaluation: evaluation(2, 1.79, true) });
  page.trainer.emit('evaluation', { runId, evaluation: evaluation(4, 1.83, false) });
  await until(() => run().evaluations?.last.step === 4);
  expect(run().evaluations).toMatchObject({ last: { lossNats: 1.83 }, best: { lossNats: 1.79, step: 2 } });
  page.trainer.emit('wentBack', { runId, step: 2 });
  await until(() => run().evaluations?.last.step === 2);
  expect(page.studio.series.lastEvaluation?.step).toBe(2);
});

it('has no best where nothing was judged', async () => {
  page.trainer.emit('evaluation', { runId, evaluation: evaluation(2, 1.79, false) });
  await until(() => run().evaluations !== null);
  expect(run().evaluations).toMatchObject({ last: { step: 2 }, best: null });
});

it('says what is kept, what could not be, and forgets that once it could', async () => {
  await page.studio.startRun();
  const full = new AppError('storage/quota', 'the disk is full', { found: 1, expected: 9 });
  page.trainer.emit('saved', { runId, step: 2, sizeBytes: 2_100_000, ms: 3 });
  page.trainer.emit('notSaved', { runId, step: 4, error: toWire(full) });
  await until(() => run().notSaved !== null);
  expect(run()).toMatchObject({ saved: { step: 2, sizeBytes: 2_100_000 }, notSaved: { step: 4, error: { code: 'storage/quota' } } });
  page.trainer.emit('saved', { runId, step: 5, sizeBytes: 2_100_000, ms: 3 });
  await until(() => run().saved?.step === 5);
  expect(run().notSaved).toBeNull();
});

it('keeps model and run while the device comes back, and says so meanwhile', async () => {
  await page.studio.startRun();
  page.trainer.emit('deviceLost', { reason: 'driver', isRecovering: true });
  await until(() => page.studio.device.getState().recovering === 'driver');
  page.trainer.emit('state', { kind: 'recovering', step: 3, steps: 7, why: 'driver' });
  await until(() => run().state.kind === 'recovering');
  expect(page.studio.device.getState().recovering).toBeNull();
  expect(page.studio.model.getState().opened).not.toBeNull();
  expect(run().runId).toBe(runId);
});

it('after a loss with nothing to train has the adapter of the last checkpoint, or none', async () => {
  page.trainer.emit('state', { kind: 'done', step: 7, steps: 7, endedBy: 'steps', adapterStep: 7 });
  page.trainer.emit('deviceLost', { reason: 'driver', isRecovering: true });
  page.trainer.emit('deviceBack', { adapterStep: 6 });
  await until(() => run().restored !== null);
  expect(page.studio.device.getState()).toMatchObject({ recovering: null, device: { kind: 'ready' } });
  expect(run()).toMatchObject({ state: { kind: 'done', adapterStep: 6 }, restored: { adapterStep: 6 } });
  page.trainer.emit('deviceBack', { adapterStep: null });
  await until(() => run().restored?.adapterStep === null);
  expect(run().state).toMatchObject({ kind: 'done', adapterStep: 0 });
});

it('that ran out of memory starts with the change that fits, in the recipe from then on', async () => {
  const change = { gradient_checkpointing: true, max_seq_len: 64 };
  const error = new AppError('gpu/out-of-memory', 'too large');
  page.trainer.startFailure = { error, remedies: [{ change, totalBytes: 5, insteadOfBytes: 9 }] };
  await page.studio.startRun();
  const { state, error: shown } = run();
  expect(state).toMatchObject({ kind: 'failed', error: { code: 'gpu/out-of-memory' }, remedies: [{ totalBytes: 5 }] });
  // The state says it already.
  expect(shown).toBeNull();
  page.trainer.startFailure = null;
  await page.studio.startWith(change);
  expect(page.trainer.started.at(-1)?.recipe).toMatchObject(change);
  expect(page.studio.project.getState().recipe.changed).toEqual(expect.arrayContaining(Object.keys(change)));
});
