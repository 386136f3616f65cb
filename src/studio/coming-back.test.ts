import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AppError } from '#base/errors.ts';
import type { EvaluationMetrics, RunState, RunSummary, StepMetrics } from '#protocol/trainer.ts';
import { DEFAULTS } from '#recipe/recipe.ts';
import { startFromRecipe } from '#studio/runs/start-from-recipe.ts';
import { interruptedRun } from '#studio/stores/runs.ts';
import { type FakePage, openFakePage } from '#studio/testing/fake-page.ts';
import { keyOf } from '#studio/testing/fake-workers.ts';

const dropped = (path: string): File => Object.assign(new File([''], path), { path });
const folder = (name: string): File[] => ['config.json', 'tokenizer.json', 'model.safetensors'].map((file) => dropped(`${name}/${file}`));

const kept = (change: Partial<RunSummary> = {}): RunSummary => ({
  id: 'a',
  name: 'demo, train.jsonl',
  createdAt: '2026-03-01T10:00:00Z',
  updatedAt: '2026-03-01T11:00:00Z',
  state: 'running',
  step: 4,
  steps: 7,
  recipe: { ...DEFAULTS, model: 'demo', data_files: ['train.jsonl'], mapping: { kind: 'template', template: '{message}\n{ticket}' } },
  modelName: 'demo',
  modelKey: keyOf('demo'),
  dataName: 'train.jsonl',
  rowCount: 30,
  checkpoints: [2, 3],
  sizeBytes: 100,
  note: '',
  ...change,
});
const step = (n: number, lossNats: number): StepMetrics => ({
  step: n,
  epoch: 0,
  lossNats,
  gradientNorm: 1,
  learningRate: 1,
  lossTokens: 1,
  realTokens: 1,
  tokensPerSecond: 1,
  stepMs: 1,
});
const evaluation = (n: number, lossNats: number, isBest: boolean): EvaluationMetrics => ({
  step: n,
  epoch: 0,
  lossNats,
  accuracy: 0.5,
  tokens: 9,
  rows: 30,
  isBest,
});

let page: FakePage;
const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 10_000, interval: 5 });
const interrupted = () => interruptedRun(page.studio.runs.getState(), page.studio.run.getState());

beforeEach(() => {
  page = openFakePage();
});
afterEach(() => page.close());

it('names the newest run that was cut off, once nothing goes on, and until it was waved away', async () => {
  page.trainer.kept = [
    kept({ id: 'old' }),
    kept({ id: 'done', state: 'done', updatedAt: '2026-03-03T11:00:00Z' }),
    kept({ id: 'new', state: 'paused', updatedAt: '2026-03-02T11:00:00Z' }),
  ];
  await page.studio.begin();
  expect(page.studio.runs.getState().runs?.map(({ id }) => id)).toEqual(['done', 'new', 'old']);
  expect(interrupted()?.id).toBe('new');
  expect(
    interruptedRun(page.studio.runs.getState(), { state: { kind: 'training', step: 1, steps: 2, secondsLeft: null }, runId: 'b' }),
  ).toBeNull();
  page.studio.runs.getState().dismiss('new');
  expect(interrupted()).toBeNull();
});

it('offers a run that failed too, this page having made it or not, where a checkpoint of it is kept', async () => {
  const failed: RunState = { kind: 'failed', step: 4, error: { code: 'gpu/device-lost', message: '', details: {} }, remedies: [] };
  page.trainer.kept = [kept({ id: 'lost', state: 'failed' }), kept({ id: 'none', state: 'failed', checkpoints: [] })];
  await page.studio.begin();
  expect(interruptedRun(page.studio.runs.getState(), { state: failed, runId: 'lost' })?.id).toBe('lost');
  page.trainer.kept = [kept({ id: 'none', state: 'failed', checkpoints: [] })];
  await page.studio.runs.getState().refresh();
  expect(interruptedRun(page.studio.runs.getState(), { state: failed, runId: 'none' })).toBeNull();
});

it('goes on with a run of the demo: its curves are those up to the checkpoint, then what comes', async () => {
  page.trainer.kept = [kept()];
  page.trainer.histories.a = {
    steps: [step(1, 4), step(2, 3), step(3, 2), step(4, 9)],
    evaluations: [evaluation(2, 2.5, true), evaluation(4, 9, false)],
  };
  page.trainer.damagedCheckpoints = [{ path: 'runs/a/checkpoints/4/optimizer.safetensors', found: '3 bytes', expected: '9 bytes' }];
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: kept() });
  expect(page.places).toEqual(['train']);
  expect(page.trainer.resumed).toEqual([{ runId: 'a', maxSteps: undefined }]);
  const run = page.studio.run.getState();
  expect(run).toMatchObject({
    runId: 'a',
    saved: { step: 3, sizeBytes: null },
    resumed: { fromStep: 3, damaged: [{ found: '3 bytes' }] },
    evaluations: { last: { step: 2 }, best: { step: 2 } },
    started: { recipe: { model: 'demo' } },
  });
  expect(page.studio.series.steps.map(({ lossNats }) => lossNats)).toEqual([4, 3, 2]);
  page.trainer.emit('metrics', { runId: 'a', steps: [step(4, 1)] });
  await until(() => page.studio.series.length === 4);
  expect(page.studio.series.steps.at(-1)?.lossNats).toBe(1);
});

it('keeps the steps that came before the answer of going on did', async () => {
  page.trainer.kept = [kept()];
  page.trainer.histories.a = { steps: [step(1, 4), step(2, 3), step(3, 2), step(4, 9)], evaluations: [] };
  const resume = page.trainer.resumeRun.bind(page.trainer);
  page.trainer.resumeRun = (params) => {
    const answer = resume(params);
    page.trainer.emit('metrics', { runId: 'a', steps: [step(4, 1), step(5, 0.5)] });
    return answer;
  };
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: kept() });
  expect(page.studio.series.steps.map(({ lossNats }) => lossNats)).toEqual([4, 3, 2, 1, 0.5]);
});

it('trains a finished run further', async () => {
  const done = kept({ state: 'done', step: 7, checkpoints: [7] });
  page.trainer.kept = [done];
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: done, maxSteps: 12 });
  expect(page.trainer.resumed).toEqual([{ runId: 'a', maxSteps: 12 }]);
});

it('opens a model that is kept, and the demo again when another is open', async () => {
  const own = kept({ id: 'own', modelName: 'tiny', modelKey: keyOf('tiny') });
  page.trainer.kept = [own, kept()];
  page.trainer.models = [{ key: keyOf('tiny'), name: 'tiny', sizeBytes: 5 }];
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: own });
  expect(page.studio.model.getState().opened).toMatchObject({ isDemo: false, summary: { name: 'tiny' } });
  expect(page.studio.run.getState()).toMatchObject({ runId: 'own' });
  page.trainer.emit('state', { kind: 'done', step: 7, steps: 7, endedBy: 'steps', adapterStep: 7 });
  await until(() => page.studio.run.getState().state.kind === 'done');
  await page.studio.goingOn.getState().goOn({ run: kept() });
  expect(page.studio.model.getState().opened?.isDemo).toBe(true);
  expect(page.trainer.resumed.map(({ runId }) => runId)).toEqual(['own', 'a']);
});

it('waits for a model that is neither open nor kept, takes no other for it, and then goes on by itself', async () => {
  const own = kept({ modelName: 'tiny', modelKey: keyOf('tiny') });
  page.trainer.kept = [own];
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: own });
  expect(page.studio.goingOn.getState()).toMatchObject({ waiting: { run: { modelName: 'tiny' } }, opening: null });
  await page.studio.drop(folder('another'));
  expect(page.studio.goingOn.getState().waiting).not.toBeNull();
  expect(page.trainer.resumed).toEqual([]);
  await page.studio.drop(folder('tiny'));
  expect(page.studio.goingOn.getState().waiting).toBeNull();
  expect(page.trainer.resumed).toHaveLength(1);
  expect(page.studio.run.getState().runId).toBe('a');
});

it('lets the model that the page opens by itself come first, which would else take the place of the run’s own', async () => {
  const own = kept({ modelName: 'tiny', modelKey: keyOf('tiny') });
  page.trainer.kept = [own];
  page.trainer.models = [{ key: keyOf('tiny'), name: 'tiny', sizeBytes: 5 }];
  const begun = page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: own });
  await begun;
  expect(page.studio.model.getState().opened?.summary.name).toBe('tiny');
  expect(page.studio.run.getState().runId).toBe('a');
});

it('says which file of a kept model was damaged, and waits for the model to be dropped', async () => {
  const own = kept({ modelName: 'tiny', modelKey: keyOf('tiny') });
  page.trainer.kept = [own];
  page.trainer.models = [{ key: keyOf('tiny'), name: 'tiny', sizeBytes: 5 }];
  page.trainer.keptFailure = new AppError('storage/damaged', 'models/tiny/model.safetensors: other bytes were found');
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: own });
  expect(page.studio.goingOn.getState()).toMatchObject({ error: { code: 'storage/damaged' }, waiting: { run: { id: 'a' } } });
});

it('deletes a run, and what it kept', async () => {
  page.trainer.kept = [kept(), kept({ id: 'b' })];
  await page.studio.begin();
  await page.studio.removeRun('a');
  expect(page.studio.runs.getState().runs?.map(({ id }) => id)).toEqual(['b']);
});

it('draws a kept run from what it measured, and anew when it went on since', async () => {
  page.trainer.kept = [kept()];
  page.trainer.histories.a = { steps: [step(1, 4), step(2, 3)], evaluations: [evaluation(2, 2.5, true)] };
  await page.studio.begin();
  const { runs } = page.studio;
  await runs.getState().loadCurves();
  expect(runs.getState().curves.a).toMatchObject({ lastLossNats: 3, best: { step: 2 }, smoothLossNats: { length: 2 } });
  page.trainer.histories.a = { steps: [step(1, 4), step(2, 3), step(3, 1)], evaluations: [] };
  page.trainer.kept = [kept({ updatedAt: '2026-03-01T12:00:00Z' })];
  await runs.getState().refresh();
  await runs.getState().loadCurves();
  expect(runs.getState().curves.a).toMatchObject({ lastLossNats: 1, best: null });
});

it('opens a kept run without training: its adapter can be asked, its curves are those up to the checkpoint', async () => {
  const own = kept({ id: 'own', modelName: 'tiny', modelKey: keyOf('tiny') });
  page.trainer.kept = [own];
  page.trainer.models = [{ key: keyOf('tiny'), name: 'tiny', sizeBytes: 5 }];
  page.trainer.histories.own = {
    steps: [step(1, 4), step(2, 3), step(3, 2), step(4, 9)],
    evaluations: [evaluation(2, 2.5, true), evaluation(4, 9, false)],
  };
  const trained: string[] = [];
  page.trainer.start = () => {
    throw new Error('a run was started');
  };
  page.studio.run.subscribe(({ state }) => trained.push(state.kind));
  await page.studio.begin();
  await page.studio.goingOn.getState().goOn({ run: own, isOpenedOnly: true });
  expect(page.studio.model.getState().opened?.summary.name).toBe('tiny');
  const run = page.studio.run.getState();
  expect(run).toMatchObject({ runId: 'own', state: { kind: 'done', adapterStep: 3 }, latest: { step: 3, lossNats: 2 } });
  expect(run.evaluations).toMatchObject({ last: { step: 2 }, best: { step: 2 } });
  expect(page.studio.series.steps.map(({ lossNats }) => lossNats)).toEqual([4, 3, 2]);
  expect(trained).not.toContain('training');
  await page.studio.exports.getState().make();
  expect(page.studio.exports.getState().made).not.toBeNull();
});

it('renames a run and keeps a note of it; a name that is refused leaves it as it was, and says why', async () => {
  page.trainer.kept = [kept()];
  await page.studio.begin();
  const { runs } = page.studio;
  expect(await runs.getState().rename('a', { name: 'Short', note: 'Twice the rank.' })).toBe(true);
  expect(runs.getState().runs).toMatchObject([{ name: 'Short', note: 'Twice the rank.' }]);
  page.trainer.renameRun = () => {
    throw new AppError('recipe/invalid', 'the name of a run: nothing was found');
  };
  expect(await runs.getState().rename('a', { name: ' ', note: '' })).toBe(false);
  expect(runs.getState()).toMatchObject({ error: { code: 'recipe/invalid' }, runs: [{ name: 'Short' }] });
});

it('puts the recipe of a kept run into the form, in the place of what was changed there', async () => {
  const { recipe } = kept();
  const mapping = { kind: 'template' as const, template: '{message} is {ticket}' };
  await page.studio.begin();
  page.studio.drafts.getState().setField('demo', 'seed', 7);
  startFromRecipe(page.studio, { recipe: { ...recipe, mapping, loss_on: 'all', lora_r: 4, learning_rate: 0.5 }, dataName: 'train.jsonl' });
  const now = page.studio.project.getState().recipe;
  expect(now.recipe).toMatchObject({ lora_r: 4, learning_rate: 0.5, seed: recipe.seed, mapping, loss_on: 'all' });
  expect(now.changed).toEqual(expect.arrayContaining(['lora_r', 'learning_rate']));
  // The mapping of other rows stays where it is.
  startFromRecipe(page.studio, { recipe: { ...recipe, mapping: { kind: 'text', column: 'text' } }, dataName: 'other.jsonl' });
  expect(page.studio.project.getState().recipe.recipe).toMatchObject({ mapping, lora_r: recipe.lora_r });
});
