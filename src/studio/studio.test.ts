import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '#base/errors.ts';
import type { AnswerReport, RunState } from '#protocol/trainer.ts';
import type { Studio } from '#studio/studio.ts';
import { DEMO_RECIPE, type FakePage, memoryStorage, openFakePage } from '#studio/testing/fake-page.ts';
import type { FakeTrainer } from '#studio/testing/fake-workers.ts';

const dropped = (path: string, content = ''): File => Object.assign(new File([content], path), { path });
const tinyLlama = (): File[] => ['config.json', 'tokenizer.json', 'model.safetensors'].map((name) => dropped(`tiny-llama/${name}`));
const rowsFile = (): File => dropped('rows.jsonl', '{"input": "Hi", "output": "yes"}\n{"input": "Ho", "output": "no"}');

let storage = memoryStorage();
let page: FakePage;
let trainer: FakeTrainer;
let studio: Studio;

/** A page that was loaded anew, with what was stored before. */
function makeStudio(hasWebGpu = true): Studio {
  page?.close();
  page = openFakePage({ storage, hasWebGpu });
  trainer = page.trainer;
  return page.studio;
}

beforeEach(() => {
  storage = memoryStorage();
  studio = makeStudio();
});
afterEach(() => page.close());

const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 10_000, interval: 5 });
const isPlanned = () => studio.project.getState().estimate !== null;

async function begun(): Promise<void> {
  await studio.begin();
  await until(isPlanned);
}

const report = (step: number, tunedExact: number): AnswerReport => ({ step, total: 4, baseExact: 0, tunedExact, answers: [] });

describe('the first visit', () => {
  it('opens the demo, makes its rows ready and plans its recipe', async () => {
    await begun();
    expect(studio.model.getState().opened).toMatchObject({ isDemo: true, summary: { name: 'demo' } });
    expect(studio.dataset.getState().preview?.text).toContain('Send 0 lamps\nlamp x0');
    expect(studio.dataset.getState().prepared).toMatchObject({ report: { trainRows: 30 }, heldOut: { length: 30 } });
    expect(trainer.planned.at(-1)).toMatchObject({ recipe: { max_steps: 7, learning_rate: 5e-3 }, rowLengths: { length: 30 } });
  });

  it('says what is missing where a browser has no WebGPU, and opens the rows all the same', async () => {
    studio = makeStudio(false);
    await studio.begin();
    expect(studio.device.getState().device).toMatchObject({ kind: 'missing', error: { code: 'gpu/no-webgpu' } });
    expect(studio.dataset.getState().opened?.rowCount).toBe(30);
    expect(studio.model.getState().opened).toBeNull();
  });
});

describe('drops', () => {
  it('go to their place and replace what was open', async () => {
    await begun();
    await studio.drop(tinyLlama());
    await studio.drop([rowsFile()]);
    expect(page.places).toEqual(['model', 'data']);
    await until(() => studio.dataset.getState().prepared !== null);
    expect(studio.dataset.getState().opened).toMatchObject({ isDemo: false, name: 'rows.jsonl' });
    // Another model than the demo has the defaults for its size and rows.
    expect(studio.project.getState()).toMatchObject({ recipeOf: 'own', mapping: { mapping: { template: '{input}\n{output}' } } });
    expect(studio.project.getState().recipe.recipe).toMatchObject({
      learning_rate: 5e-3,
      max_steps: null,
      num_train_epochs: 20,
      per_device_train_batch_size: 4,
    });
  });

  it('that are of no use leave what was open as it was', async () => {
    await begun();
    await studio.drop([dropped('empty.jsonl')]);
    expect(studio.dataset.getState()).toMatchObject({ error: { code: 'data/no-rows' }, opened: { isDemo: true } });
    expect(studio.dataset.getState().prepared).not.toBeNull();
    trainer.failure = new AppError('format/truncated', 'model.safetensors: too short');
    await studio.drop(tinyLlama());
    expect(studio.model.getState()).toMatchObject({ error: { code: 'format/truncated' }, opened: { isDemo: true }, opening: null });
    await studio.drop([dropped('notes.pdf', '%PDF-1.7')]);
    expect(studio.project.getState().notice).toEqual({ kind: 'refused', name: 'notes.pdf', looksLike: 'pdf' });
  });

  it('of a model that would cost a trained adapter wait for an answer', async () => {
    await begun();
    trainer.emit('state', { kind: 'done', step: 5, steps: 7, endedBy: 'stopped', adapterStep: 5 });
    await until(() => studio.run.getState().state.kind === 'done');
    await studio.drop(tinyLlama());
    const { notice } = studio.project.getState();
    expect(notice).toMatchObject({ kind: 'replaces', step: 5, model: { name: 'tiny-llama' } });
    expect(studio.model.getState().opened?.isDemo).toBe(true);
    if (notice?.kind === 'replaces') await studio.replaceModel(notice.model);
    expect(studio.model.getState().opened?.isDemo).toBe(false);
    expect(studio.run.getState().state.kind).toBe('idle');
    expect(studio.project.getState().notice).toBeNull();
  });

  it('forget the model when the new one failed after its weights had begun to move in', async () => {
    await begun();
    trainer.failure = new AppError('gpu/out-of-memory', 'too large');
    await studio.drop(tinyLlama());
    expect(studio.model.getState()).toMatchObject({ opened: null, error: { code: 'gpu/out-of-memory' } });
  });
});

describe('what is typed', () => {
  it('changes the recipe and survives a reload, wrong values too', async () => {
    await begun();
    studio.recipe.setField('learning_rate', 1e-3);
    studio.recipe.setField('lora_r', 'many');
    expect(studio.project.getState().recipe).toMatchObject({
      recipe: null,
      issues: [{ field: 'lora_r' }],
      changed: ['learning_rate', 'lora_r'],
    });
    studio.setMapping({ mapping: { kind: 'template', template: 'Q {message} A {ticket}' }, loss: 'answer' });

    studio = makeStudio();
    await studio.begin();
    expect(studio.project.getState().recipe.values).toMatchObject({
      learning_rate: 1e-3,
      lora_r: 'many',
      mapping: { template: 'Q {message} A {ticket}' },
    });
    await until(() => studio.dataset.getState().preview !== null);
    expect(studio.dataset.getState().preview?.text).toContain('Q Send 0 lamps A lamp x0');
    studio.recipe.reset();
    studio.resetMapping();
    expect(studio.project.getState().recipe.recipe).toMatchObject({ learning_rate: 5e-3, mapping: DEMO_RECIPE.mapping });
  });

  it('in a template shows its error beside the last good prompt, and blocks what was made ready', async () => {
    await begun();
    studio.setMapping({ mapping: { kind: 'template', template: '{massage}' }, loss: 'answer' });
    expect(studio.dataset.getState().prepared).toBeNull();
    await until(() => studio.dataset.getState().prepareError !== null);
    expect(studio.dataset.getState()).toMatchObject({ previewError: { code: 'data/missing-column', details: { at: 0 } } });
    expect(studio.dataset.getState().preview?.text).toContain('lamp x0');
    studio.setMapping({ mapping: { kind: 'template', template: '{message}\n{ticket}' }, loss: 'answer' });
    await until(() => studio.dataset.getState().prepared !== null);
    expect(studio.dataset.getState()).toMatchObject({ previewError: null, prepareError: null });
  });

  it('is read from storage with suspicion', async () => {
    const state = {
      fields: { demo: { lora_r: 4, nonsense: 1 }, own: 3 },
      mappings: { a: { mapping: { kind: 'odd' } } },
      chatFields: { message: 7 },
      chat: null,
    };
    storage.setItem('loratory.drafts', JSON.stringify({ version: 1, state }));
    studio = makeStudio();
    expect(studio.drafts.getState()).toMatchObject({
      fields: { demo: { lora_r: 4 }, own: {} },
      mappings: {},
      chatFields: {},
      chat: { temperature: 0 },
    });
  });
});

describe('a run', () => {
  it('starts with the rows that were made ready and follows the trainer', async () => {
    await begun();
    await studio.startRun();
    const [{ recipe, rows, heldOut }] = trainer.started;
    expect(recipe.max_steps).toBe(7);
    expect(rows.offsets).toHaveLength(31);
    expect(heldOut).toHaveLength(30);

    trainer.emit('answers', report(0, 0));
    const step = {
      step: 1,
      epoch: 0,
      lossNats: 2,
      gradientNorm: 1,
      learningRate: 1,
      lossTokens: 1,
      realTokens: 1,
      tokensPerSecond: 5,
      stepMs: 1,
    };
    trainer.emit('metrics', { runId: 'run-1', steps: [step, { ...step, step: 2, lossNats: 1 }] });
    trainer.emit('answers', report(7, 3));
    const state: RunState = { kind: 'done', step: 7, steps: 7, endedBy: 'steps', adapterStep: 7 };
    trainer.emit('state', state);
    await until(() => studio.run.getState().state.kind === 'done');
    expect(studio.run.getState()).toMatchObject({ latest: { lossNats: 1 }, firstAnswers: { step: 0 }, lastAnswers: { tunedExact: 3 } });
    expect(studio.series.length).toBe(2);

    await studio.exports.getState().make();
    expect(studio.exports.getState().made).toMatchObject({ step: 3, files: [{ path: 'adapter_config.json' }, { path: 'README.md' }] });
    await studio.startRun();
    expect(studio.series.length).toBe(0);
    expect(studio.run.getState()).toMatchObject({ firstAnswers: null, latest: null });
  });

  it('goes with the device, and says why', async () => {
    await begun();
    trainer.emit('state', { kind: 'training', step: 2, steps: 7, secondsLeft: 1 });
    trainer.emit('deviceLost', { reason: 'driver', isRecovering: true });
    expect(studio.model.getState().opened).not.toBeNull();
    trainer.emit('deviceLost', { reason: 'unknown', isRecovering: false });
    await until(() => studio.device.getState().device.kind === 'missing');
    expect(studio.model.getState().opened).toBeNull();
    expect(studio.run.getState().state.kind).toBe('idle');
    expect(studio.device.getState().device).toMatchObject({ error: { code: 'gpu/device-lost', details: { found: 'unknown' } } });
  });
});

describe('chat', () => {
  it('asks both sides the prompt of the mapping, and base alone while there is no adapter', async () => {
    await begun();
    await until(() => studio.chat.getState().fields.length > 0);
    expect(studio.chat.getState().fields).toEqual(['message']);
    const { settings } = studio.project.getState().recipe;
    const options = studio.drafts.getState().chat;
    await studio.chat.getState().send({ settings, fields: { message: 'Send 3 lamps' }, options, hasAdapter: false });
    await studio.chat.getState().send({ settings, fields: { message: 'Send 4 lamps' }, options, hasAdapter: true });
    const [latest, first] = studio.chat.getState().exchanges;
    expect(first).toMatchObject({ prompt: '<s>Send 3 lamps', base: { text: 'base said', status: 'done' }, tuned: null });
    expect(latest).toMatchObject({
      message: 'Send 4 lamps',
      base: { text: 'base said' },
      tuned: { text: 'tuned said', result: { end: 'stop' } },
    });
  });
});
