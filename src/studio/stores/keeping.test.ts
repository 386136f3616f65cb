import { afterEach, beforeEach, expect, it } from 'vitest';
import { connect, serve } from '#protocol/rpc.ts';
import type { TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import { createKeepingStore } from '#studio/stores/keeping.ts';
import { type FakePage, openFakePage } from '#studio/testing/fake-page.ts';
import { FakeTrainer, keyOf } from '#studio/testing/fake-workers.ts';

const dropped = (path: string): File => Object.assign(new File([''], path), { path });
const folder = (name: string): File[] => ['config.json', 'tokenizer.json', 'model.safetensors'].map((file) => dropped(`${name}/${file}`));

let page: FakePage;
const keeping = () => page.studio.keeping.getState();

beforeEach(async () => {
  page = openFakePage();
  await page.studio.begin();
});
afterEach(() => page.close());

it('copies the open model, which then opens without its files', async () => {
  await page.studio.drop(folder('tiny'));
  const progress: (number | undefined)[] = [];
  page.studio.keeping.subscribe(({ keeping }) => progress.push(keeping?.progress?.done));
  await keeping().keepModel('tiny');
  expect(progress).toContain(10);
  expect(keeping()).toMatchObject({ keeping: null, models: [{ name: 'tiny', key: keyOf('tiny') }], report: { usedBytes: 10 } });
  await page.studio.openDemo({ model: true, data: false });
  await page.studio.openKeptModel(keyOf('tiny'));
  expect(page.studio.model.getState().opened?.summary.name).toBe('tiny');
});

it('empties an item, and lists what is left', async () => {
  page.trainer.models = ['a', 'b'].map((name) => ({ key: name, name, sizeBytes: 5 }));
  await keeping().refresh();
  expect(keeping().report?.usedBytes).toBe(10);
  await page.studio.emptyStorage('models', 'a');
  expect(keeping()).toMatchObject({ models: [{ key: 'b' }], report: { usedBytes: 5 } });
});

it('asks the browser not to clear what is kept, and says when it would not promise', async () => {
  const { port1, port2 } = new MessageChannel();
  serve<TrainerCalls, TrainerEvents>(port2, (emit) => new FakeTrainer(emit));
  let answer = false;
  const store = createKeepingStore(connect<TrainerCalls, TrainerEvents>(port1, 'the trainer'), async () => answer);
  await store.getState().persist();
  expect(store.getState()).toMatchObject({ isPersistRefused: true, report: { freeBytes: 1000 } });
  answer = true;
  await store.getState().persist();
  expect(store.getState().isPersistRefused).toBe(false);
  port1.close();
  port2.close();
});
