import { describe, expect, test } from 'vitest';
import { type CheckpointFiles, CheckpointFolder } from '#storage/checkpoints.ts';
import { readWhole } from '#storage/file-store.ts';
import { sealJson } from '#storage/sealed-json.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const filesOf = (seed: number): CheckpointFiles => ({
  'adapter_model.safetensors': Uint8Array.from({ length: 300 + seed }, (_, i) => (i * seed) & 0xff),
  'trainer_state.json': new TextEncoder().encode(`{"step":${seed}}`),
  empty: new Uint8Array(),
});

async function folderOf(...steps: number[]) {
  const store = memoryStore();
  const checkpoints = new CheckpointFolder(store, 'runs/a');
  for (const step of steps) await checkpoints.write(step, filesOf(step));
  return { store, checkpoints };
}

const stepsOf = async (checkpoints: CheckpointFolder) => (await checkpoints.list()).map(({ step }) => step);

describe('CheckpointFolder', () => {
  test('gives back the same bytes, and lists by step', async () => {
    const { store, checkpoints } = await folderOf(100, 9, 20);
    expect(await stepsOf(checkpoints)).toEqual([9, 20, 100]);
    expect(await checkpoints.read(20)).toEqual(filesOf(20));
    expect(await checkpoints.latest()).toEqual({ step: 100, files: filesOf(100), damaged: [] });
    const [first] = await checkpoints.list();
    const bytes = [...store.files].filter(([path]) => path.startsWith('runs/a/checkpoints/9/'));
    expect(first).toEqual({ step: 9, path: 'runs/a/checkpoints/9', sizeBytes: bytes.reduce((sum, [, { length }]) => sum + length, 0) });
  });

  test('the manifest has the version, the step, and the size and SHA-256 of each file', async () => {
    const { store } = await folderOf(1);
    const manifest = JSON.parse(new TextDecoder().decode(store.files.get('runs/a/checkpoints/1/manifest.json')));
    expect(manifest).toMatchObject({ version: 1, step: 1 });
    expect(Object.keys(manifest.files).sort()).toEqual(['adapter_model.safetensors', 'empty', 'trainer_state.json']);
    const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'; // FIPS 180-4, of no bytes
    expect(manifest.files.empty).toEqual({ sizeBytes: 0, sha256: nothing });
  });

  test('none yet', async () => {
    const { checkpoints } = await folderOf();
    expect(await checkpoints.list()).toEqual([]);
    expect(await checkpoints.latest()).toEqual({ step: null, files: null, damaged: [] });
    await expect(checkpoints.read(3)).rejects.toMatchObject({ code: 'storage/not-found' });
  });

  test('transformers’ names, beside what is not a checkpoint', async () => {
    const store = memoryStore();
    const checkpoints = new CheckpointFolder(store, '', (step) => `checkpoint-${step}`);
    await store.write('adapter/adapter_config.json', [Uint8Array.of(1)]);
    await store.write('checkpoint-x/manifest.json', [Uint8Array.of(1)]);
    await store.write('checkpoint-007/manifest.json', [Uint8Array.of(1)]);
    await checkpoints.write(7, filesOf(7));
    expect(await checkpoints.list()).toMatchObject([{ step: 7, path: 'checkpoint-7' }]);
    await checkpoints.prune(0, []);
    expect([...store.files.keys()]).toEqual(['adapter/adapter_config.json', 'checkpoint-x/manifest.json', 'checkpoint-007/manifest.json']);
  });

  test('a file that is missing, cut off, changed or unreadable is named; the one before is taken', async () => {
    const path = 'runs/a/checkpoints/20/adapter_model.safetensors';
    const spoil: [string, (bytes: Uint8Array) => Uint8Array | null, object][] = [
      ['missing', () => null, { found: 'no file', expected: '320 bytes' }],
      ['cut off', (bytes) => bytes.slice(0, 100), { found: '100 bytes', expected: '320 bytes' }],
      [
        'changed',
        (bytes) => bytes.map((byte, i) => (i === 319 ? byte ^ 1 : byte)),
        { found: expect.stringMatching(/^SHA-256 [0-9a-f]{64}$/) },
      ],
    ];
    for (const [, change, expected] of spoil) {
      const { store, checkpoints } = await folderOf(10, 20);
      const bytes = change(store.files.get(path) as Uint8Array);
      if (bytes === null) store.files.delete(path);
      else store.files.set(path, bytes);
      const error = { step: 20, path: 'runs/a/checkpoints/20', file: 'adapter_model.safetensors', ...expected };
      expect(await checkpoints.latest()).toMatchObject({ step: 10, files: filesOf(10), damaged: [error] });
      await expect(checkpoints.read(20)).rejects.toMatchObject({ code: 'storage/damaged', details: { file: path, ...expected } });
      // Nothing was removed by looking.
      expect(await stepsOf(checkpoints)).toEqual([10, 20]);
    }
  });

  test('a manifest of another step or a later version is named', async () => {
    const { store, checkpoints } = await folderOf(10, 20);
    const manifest = 'runs/a/checkpoints/20/manifest.json';
    store.files.set(manifest, store.files.get('runs/a/checkpoints/10/manifest.json') as Uint8Array);
    expect(await checkpoints.latest()).toMatchObject({ step: 10, damaged: [{ step: 20, file: 'manifest.json', found: 'step 10' }] });
    store.files.set(manifest, await sealJson({ version: 2, parts: [] }));
    expect(await checkpoints.latest()).toMatchObject({
      step: 10,
      damaged: [{ step: 20, file: 'manifest.json', found: 'version 2', expected: 'version 1' }],
    });
    await expect(checkpoints.read(20)).rejects.toMatchObject({ code: 'format/unsupported' });
    await checkpoints.prune(1, []);
    expect(await stepsOf(checkpoints)).toEqual([10, 20]);
  });

  test('refuses before it begins when there is no space', async () => {
    const store = memoryStore({ capacityBytes: 20_000 });
    const checkpoints = new CheckpointFolder(store, 'a');
    await checkpoints.write(1, { w: new Uint8Array(1000) });
    const before = [...store.files.keys()];
    const tooLarge = checkpoints.write(2, { w: new Uint8Array(19_000) });
    const found = (await store.freeBytes()) as number;
    await expect(tooLarge).rejects.toMatchObject({ code: 'storage/quota', details: { file: 'a/checkpoints/2', found } });
    await expect(tooLarge).rejects.toMatchObject({ details: { expected: expect.closeTo(19_000 + 2 * 4096, -3) } });
    expect([...store.files.keys()]).toEqual(before);
  });

  test('removes what a disk that became full on the way let through', async () => {
    const store = { ...memoryStore({ capacityBytes: 2000 }), freeBytes: async () => null };
    const checkpoints = new CheckpointFolder(store, 'a');
    await checkpoints.write(1, { w: new Uint8Array(500) });
    await expect(checkpoints.write(2, { v: new Uint8Array(500), w: new Uint8Array(900) })).rejects.toMatchObject({ code: 'storage/quota' });
    expect([...store.files.keys()].filter((path) => path.includes('/2/'))).toEqual([]);
    expect(await checkpoints.latest()).toMatchObject({ step: 1 });
  });

  test('the same step again: equal bytes stay, others replace, what was torn or spoilt goes', async () => {
    const { store, checkpoints } = await folderOf(5);
    let writes = 0;
    const counting = { ...store, write: (path: string, parts: readonly Uint8Array[]) => (writes++, store.write(path, parts)) };
    const again = new CheckpointFolder(counting, 'runs/a');
    expect(await again.write(5, filesOf(5))).toEqual((await checkpoints.list())[0]);
    expect(writes).toBe(0);
    await again.write(5, filesOf(6));
    expect(await checkpoints.read(5)).toEqual(filesOf(6));
    (store.files.get('runs/a/checkpoints/5/adapter_model.safetensors') as Uint8Array)[0] ^= 1;
    await again.write(5, filesOf(6));
    expect(await checkpoints.read(5)).toEqual(filesOf(6));
    store.files.delete('runs/a/checkpoints/5/manifest.json');
    await again.write(5, filesOf(5));
    expect(await checkpoints.read(5)).toEqual(filesOf(5));
  });

  test('does not remove a folder of that step that another program wrote', async () => {
    const store = memoryStore();
    const checkpoints = new CheckpointFolder(store, '', (step) => `checkpoint-${step}`);
    await store.write('checkpoint-5/optimizer.pt', [Uint8Array.of(1)]);
    await expect(checkpoints.write(5, filesOf(5))).rejects.toThrow('checkpoint-5: optimizer.pt was found, which this run did not write');
    await checkpoints.write(6, filesOf(6));
    await checkpoints.prune(1, []);
    expect(await readWhole(store, 'checkpoint-5/optimizer.pt')).toEqual(Uint8Array.of(1));
  });
});

describe('prune', () => {
  test('keeps the newest and those that are named', async () => {
    const { checkpoints } = await folderOf(1, 2, 3, 4, 5);
    await checkpoints.prune(null, []);
    expect(await stepsOf(checkpoints)).toEqual([1, 2, 3, 4, 5]);
    await checkpoints.prune(2, [2, 99]);
    expect(await stepsOf(checkpoints)).toEqual([2, 4, 5]);
    await checkpoints.prune(1, [2]);
    expect(await stepsOf(checkpoints)).toEqual([2, 5]);
    expect(await checkpoints.read(2)).toEqual(filesOf(2));
  });

  test('removes what torn writes left, with a limit and without', async () => {
    for (const limit of [null, 5]) {
      const { store, checkpoints } = await folderOf(1, 2, 3);
      store.files.delete('runs/a/checkpoints/3/manifest.json');
      const manifest = store.files.get('runs/a/checkpoints/2/manifest.json') as Uint8Array;
      store.files.set('runs/a/checkpoints/2/manifest.json', manifest.slice(0, -1));
      expect(await stepsOf(checkpoints)).toEqual([1]);
      await checkpoints.prune(limit, []);
      expect(new Set([...store.files.keys()].map((path) => path.split('/')[3]))).toEqual(new Set(['1']));
    }
  });

  test('a damaged manifest does not count as one that is kept', async () => {
    const { store, checkpoints } = await folderOf(1, 2, 3);
    (store.files.get('runs/a/checkpoints/3/manifest.json') as Uint8Array)[12] ^= 1;
    await checkpoints.prune(1, []);
    expect(await checkpoints.latest()).toMatchObject({ step: 2, files: filesOf(2) });
  });

  test('the manifest goes first', async () => {
    const { store, checkpoints } = await folderOf(1, 2);
    const removed: string[] = [];
    const watching = { ...store, remove: (path: string) => (removed.push(path), store.remove(path)) };
    await new CheckpointFolder(watching, 'runs/a').prune(1, []);
    expect(removed).toEqual(['runs/a/checkpoints/1/manifest.json', 'runs/a/checkpoints/1']);
    expect(await stepsOf(checkpoints)).toEqual([2]);
  });
});
