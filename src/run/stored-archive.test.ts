import { expect, it } from 'vitest';
import type { StartParams } from '#protocol/trainer.ts';
import { DEFAULTS } from '#recipe/recipe.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const params: StartParams & { modelName: string; modelKey: string; steps: number } = {
  recipe: { ...DEFAULTS, model: 'tiny', data_files: ['rows'], mapping: { kind: 'text', column: 'text' } },
  rows: { tokens: new Uint32Array([1, 2]), lossMask: new Uint8Array([0, 1]), offsets: new Uint32Array([0, 2]) },
  validation: null,
  heldOut: [],
  dataName: 'rows',
  modelName: 'tiny',
  modelKey: 'key',
  steps: 9,
};
const archiveOf = (store = memoryStore()) => new StoredArchive(store, () => Promise.resolve(new Blob()));

it('renames a run and keeps a note of it, and the time of its last step', async () => {
  const store = memoryStore();
  const { id } = await archiveOf(store).create(params);
  const [before] = (await archiveOf(store).list()).runs;
  expect(before).toMatchObject({ name: 'tiny, rows', note: '' });
  await archiveOf(store).rename(id, { name: '  Short prompts ', note: 'Twice the rank.' });
  expect((await archiveOf(store).list()).runs).toEqual([
    { ...before, name: 'Short prompts', note: 'Twice the rank.', sizeBytes: expect.any(Number) as number },
  ]);
});

it('renames a run that goes on in turn with what is written of it', async () => {
  const archive = archiveOf();
  const run = await archive.create(params);
  const states: Promise<void>[] = [];
  for (let step = 1; step <= 5; step++) {
    run.setState(
      step % 2 === 0 ? { kind: 'paused', step, steps: 9, why: 'user' } : { kind: 'training', step, steps: 9, secondsLeft: null },
    );
    states.push(archive.rename(run.id, { name: `Run ${step}`, note: '' }));
  }
  await Promise.all(states);
  await run.settled();
  expect((await archive.list()).runs).toMatchObject([{ name: 'Run 5', step: 5, state: 'running' }]);
});

it.each([
  ['a name of nothing', { name: ' ', note: '' }],
  ['a name too long', { name: 'n'.repeat(201), note: '' }],
  ['a note too long', { name: 'n', note: 'n'.repeat(10_001) }],
])('refuses %s, and leaves the run as it was', async (_, words) => {
  const archive = archiveOf();
  const { id } = await archive.create(params);
  await expect(archive.rename(id, words)).rejects.toMatchObject({ code: 'recipe/invalid' });
  expect((await archive.list()).runs).toMatchObject([{ name: 'tiny, rows', note: '' }]);
});
