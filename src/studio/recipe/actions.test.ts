import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DEFAULTS } from '#recipe/recipe.ts';
import { recipeFromYaml, recipeToYaml } from '#recipe/yaml.ts';
import type { Studio } from '#studio/studio.ts';
import { DEMO_RECIPE, type FakePage, openFakePage } from '#studio/testing/fake-page.ts';
import { keyOf } from '#studio/testing/fake-workers.ts';
import { paceKey } from '#studio/stores/pace.ts';

let page: FakePage;
let studio: Studio;
const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 10_000, interval: 5 });
const recipe = () => studio.project.getState().recipe;
const file = (text: string, path = 'a/mine.yaml') => ({ path, file: new Blob([text]) });

beforeEach(async () => {
  page = openFakePage();
  studio = page.studio;
  await studio.begin();
  await until(() => studio.project.getState().estimate !== null);
});
afterEach(() => page.close());

describe('presets', () => {
  it('change what they speak of as one change, and leave the rest', () => {
    studio.recipe.setField('seed', 7);
    studio.recipe.takePreset('least-memory');
    expect(recipe().recipe).toMatchObject({
      seed: 7,
      lora_r: 8,
      per_device_train_batch_size: 1,
      gradient_checkpointing: true,
      max_steps: 7,
    });
    studio.recipe.takePreset('balanced');
    expect(recipe().changed).toEqual(['seed']);
    studio.recipe.undo();
    expect(recipe().recipe).toMatchObject({ lora_r: 8, per_device_train_batch_size: 1 });
    studio.recipe.undo();
    studio.recipe.undo();
    expect(recipe().changed).toEqual([]);
    studio.recipe.redo();
    expect(recipe().changed).toEqual(['seed']);
  });
});

describe('a file', () => {
  it('is taken as a whole: what it leaves out is at its default, its mapping is for the rows that are open', async () => {
    studio.recipe.setField('seed', 7);
    const mapping = { kind: 'template', template: 'Say {message}\n{ticket}' };
    await studio.recipe.openFile(file(JSON.stringify({ model: 'other', data_files: ['b.json'], mapping, lora_r: 4, max_steps: 7 })));
    expect(recipe().values).toMatchObject({ lora_r: 4, seed: DEFAULTS.seed, model: 'demo', data_files: ['train.jsonl'], mapping });
    expect(studio.project.getState().recipeFile).toEqual({
      name: 'mine.yaml',
      issues: [],
      changedCount: 1,
      model: 'other',
      dataFiles: ['b.json'],
      isMappingLeft: false,
    });
    studio.recipe.undo();
    expect(recipe().values).toMatchObject({ lora_r: DEFAULTS.lora_r, seed: 7, mapping: DEMO_RECIPE.mapping });
  });

  it('comes back as it was kept', async () => {
    studio.recipe.setField('lora_r', 4);
    studio.recipe.setField('target_modules', ['q_proj']);
    const kept = recipe().recipe;
    if (kept === null) throw new Error('the recipe has issues');
    const text = await recipeToYaml(kept);
    expect((await recipeFromYaml(text, kept)).said).toEqual(kept);
    studio.recipe.reset();
    await studio.recipe.openFile(file(text));
    expect(recipe().recipe).toEqual(kept);
    expect(studio.project.getState().recipeFile).toMatchObject({ changedCount: 2, model: null, dataFiles: null });
  });

  it('with anything wrong in it changes nothing, and is told by its lines', async () => {
    const before = recipe().values;
    await studio.recipe.openFile(file('seed: 3\nlora_rank: 8\n'));
    expect(recipe().values).toEqual(before);
    expect(studio.project.getState().recipeFile).toMatchObject({
      name: 'mine.yaml',
      issues: [{ field: 'lora_rank', found: 'an unknown field', expected: 'lora_r', line: 2 }],
    });
    await studio.recipe.openFile(file('#'.repeat(2 ** 20 + 1)));
    expect(studio.project.getState().recipeFile?.issues).toHaveLength(1);
    studio.recipe.dismissFile();
    expect(studio.project.getState().recipeFile).toBeNull();
  });

  it('that is dropped anywhere goes to Recipe', async () => {
    await studio.drop([Object.assign(new File(['lora_r: 4'], 'r.yaml'), { path: 'r.yaml' })]);
    expect(page.places).toEqual(['recipe']);
    expect(recipe().values.lora_r).toBe(4);
  });
});

it('undoes nothing of another model', async () => {
  studio.recipe.setField('seed', 7);
  await studio.drop(['config.json', 'model.safetensors'].map((name) => Object.assign(new File([''], name), { path: `tiny/${name}` })));
  studio.recipe.undo();
  expect(studio.drafts.getState().fields.demo).toEqual({ seed: 7 });
});

it('knows the rate of a model from its last run, for the way it was trained', async () => {
  await studio.startRun();
  const step = {
    step: 1,
    epoch: 0,
    lossNats: 2,
    gradientNorm: 1,
    learningRate: 1,
    lossTokens: 1,
    realTokens: 50,
    tokensPerSecond: 5,
    stepMs: 100,
  };
  page.trainer.emit('metrics', { runId: 'run-1', steps: [1, 2, 3, 4].map((each) => ({ ...step, step: each })) });
  page.trainer.emit('state', { kind: 'done', step: 4, steps: 7, endedBy: 'stopped', adapterStep: 4 });
  await until(() => studio.run.getState().state.kind === 'done');
  const device = { vendor: 'test', architecture: '', description: '' };
  expect(studio.pace.getState().rates).toEqual({ [paceKey({ modelKey: keyOf('demo'), device, recompute: false })]: 500 });
});
