import { beforeEach, describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { DEFAULTS } from '#recipe/recipe.ts';
import { KeptFiles } from '#storage/models.ts';
import { RunStore } from '#storage/runs.ts';
import { memoryStore, type MemoryStore } from '#storage/testing/memory-store.ts';
import { emptyPart, PARTS, readUsage } from '#storage/usage.ts';

const recipe = { ...DEFAULTS, model: 'demo', data_files: ['a'], mapping: { kind: 'template' as const, template: '{a}' } };
const train = { tokens: Uint32Array.of(1, 2), lossMask: Uint8Array.of(0, 1), offsets: Uint32Array.of(0, 2) };

let store: MemoryStore;
let modelKey: string;
beforeEach(async () => {
  store = memoryStore({ capacityBytes: 1_000_000 });
  ({ key: modelKey } = await new KeptFiles(store, 'models').add('SmolLM2', new Map([['a', memorySource('a', new Uint8Array(1000))]])));
  await new KeptFiles(store, 'datasets').add('rows.jsonl', new Map([['rows.jsonl', memorySource('rows.jsonl', new Uint8Array(50))]]));
  for (const id of ['r1', 'r2']) {
    const run = { id, name: `Run ${id}`, createdAt: '2026-11-25T00:00:00Z', state: 'done' as const, step: 1, steps: 1, recipe, note: '' };
    const of = { model: { name: 'SmolLM2', key: modelKey }, data: { name: 'rows.jsonl', rows: 1 } };
    await new RunStore(store).create({ ...run, ...of }, { train, validation: null, heldOut: [] });
  }
  await store.write('runs/torn/rows.bin', [new Uint8Array(10)]);
  await store.write('notes.txt', [new Uint8Array(7)]);
  await store.write('strange/folder/file', [new Uint8Array(3)]);
});

const sizeOf = (prefix: string) => [...store.files].reduce((sum, [path, { length }]) => sum + (path.startsWith(prefix) ? length : 0), 0);

describe('readUsage', () => {
  test('tells every byte by part and item, with the users’ names', async () => {
    const usage = await readUsage(store);
    expect(usage.parts.map(({ part }) => part)).toEqual([...PARTS]);
    const [models, datasets, runs, other] = usage.parts;
    expect(models).toEqual({
      part: 'models',
      sizeBytes: sizeOf('models/'),
      items: [{ name: modelKey, title: 'SmolLM2', sizeBytes: sizeOf('models/') }],
    });
    expect(datasets.items.map(({ title }) => title)).toEqual(['rows.jsonl']);
    expect(runs.items).toEqual([
      { name: 'r1', title: 'Run r1', sizeBytes: sizeOf('runs/r1/') },
      { name: 'r2', title: 'Run r2', sizeBytes: sizeOf('runs/r2/') },
      { name: 'torn', title: 'torn', sizeBytes: 10 },
    ]);
    expect(other.items).toEqual([
      { name: 'notes.txt', title: 'notes.txt', sizeBytes: 7 },
      { name: 'strange', title: 'strange', sizeBytes: 3 },
    ]);
    expect(usage.usedBytes).toBe(sizeOf(''));
    expect(usage.freeBytes).toBe(1_000_000 - sizeOf(''));
  });

  test('an empty store', async () => {
    expect(await readUsage(memoryStore())).toEqual({
      parts: PARTS.map((part) => ({ part, sizeBytes: 0, items: [] })),
      usedBytes: 0,
      freeBytes: null,
    });
  });
});

describe('emptyPart', () => {
  test('one item, with its neighbours left', async () => {
    const before = store.files.size;
    await emptyPart(store, 'runs', 'r');
    await emptyPart(store, 'models', 'r1');
    expect(store.files.size).toBe(before);
    await emptyPart(store, 'runs', 'r1');
    expect((await new RunStore(store).list()).runs.map(({ id }) => id)).toEqual(['r2']);
    await emptyPart(store, 'other', 'notes.txt');
    await expect(emptyPart(store, 'other', '../models')).rejects.toMatchObject({ code: 'storage/failed' });
    await expect(emptyPart(store, 'other', 'strange/folder')).rejects.toMatchObject({ code: 'storage/failed' });
    // `models` is a part, not an item of the rest.
    await emptyPart(store, 'other', 'models');
    expect(sizeOf('models/')).toBeGreaterThan(1000);
    expect(store.files.has('strange/folder/file')).toBe(true);
  });

  test('each part by itself, to the last byte', async () => {
    for (const [i, part] of PARTS.entries()) {
      await emptyPart(store, part);
      const { parts } = await readUsage(store);
      expect(parts.map(({ sizeBytes }) => sizeBytes === 0)).toEqual(PARTS.map((_, other) => other <= i));
    }
    expect(store.files.size).toBe(0);
  });
});
