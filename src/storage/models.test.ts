import { describe, expect, test } from 'vitest';
import { type ByteSource, memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { KeptFiles } from '#storage/models.ts';
import { modelKey } from '#storage/model-key.ts';
import { sealJson } from '#storage/sealed-json.ts';
import { drawFault, FaultyStore, flipByte } from '#storage/testing/faulty-store.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const MIB = 1_048_576;
const pattern = (length: number, salt: number) => new Uint8Array(length).map((_, i) => (i * salt + (i >> 12)) & 0xff);
const sourcesOf = (files: Record<string, Uint8Array>): Map<string, ByteSource> =>
  new Map(Object.entries(files).map(([path, bytes]) => [path, memorySource(path, bytes)]));

const SMALL = { 'tiny/config.json': pattern(100, 3), 'tiny/model.safetensors': pattern(5000, 5), 'tiny/empty': new Uint8Array() };
// One chunk, and a little of the next.
const LARGE = { 'model.gguf': pattern(17 * MIB, 7) };

async function keptOf(files: Record<string, Uint8Array> = SMALL) {
  const store = memoryStore();
  const models = new KeptFiles(store, 'models');
  const { key } = await models.add('tiny', sourcesOf(files));
  return { store, models, key };
}

describe('KeptFiles', () => {
  test('keeps a copy under the fingerprint of its files, and opens it', async () => {
    const { store, models, key } = await keptOf();
    expect(key).toBe(await modelKey(sourcesOf(SMALL)));
    const opened = await models.open(key);
    expect([...opened.keys()]).toEqual(Object.keys(SMALL));
    for (const [path, bytes] of Object.entries(SMALL)) expect(await opened.get(path)?.read(0, bytes.byteLength)).toEqual(bytes);
    expect(await modelKey(opened)).toBe(key);
    expect(await models.verify(key)).toEqual([]);
    expect(await models.list()).toMatchObject({ kept: [{ key, name: 'tiny', sizeBytes: 5100, version: 1 }], damaged: [] });
    expect([...store.files.keys()]).toContain(`models/${key}/files/tiny/config.json`);
    expect(models.pathOf(key, 'tiny/config.json')).toBe(`models/${key}/files/tiny/config.json`);
    expect(await models.sizeBytes(key)).toBe([...store.files.values()].reduce((sum, { length }) => sum + length, 0));
  });

  test('copies and verifies in chunks of 16 MiB, and says how far it is', async () => {
    const store = memoryStore();
    const models = new KeptFiles(store, 'models');
    const done: number[] = [];
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => done.push(doneBytes / totalBytes);
    const { key, files } = await models.add('large', sourcesOf(LARGE), { onProgress });
    expect(done).toEqual([16 / 17, 1]);
    expect(files['model.gguf'].chunks).toHaveLength(2);
    await models.verify(key, { onProgress });
    expect(done).toEqual([16 / 17, 1, 16 / 17, 1]);
    await flipByte(store, models.pathOf(key, 'model.gguf'), 16 * MIB + 5, 1);
    const [start, end] = [16 * MIB, 17 * MIB];
    expect(await models.verify(key)).toMatchObject([
      { path: models.pathOf(key, 'model.gguf'), found: expect.stringMatching(`^SHA-256 [0-9a-f]{64} of bytes ${start} to ${end}$`) },
    ]);
  });

  test('writes nothing twice', async () => {
    const { store, models, key } = await keptOf();
    const before = new Map(store.files);
    expect((await models.add('again', sourcesOf(SMALL))).name).toBe('tiny');
    expect(new Map(store.files)).toEqual(before);
    await models.remove(key);
    expect(store.files.size).toBe(0);
    await expect(models.open(key)).rejects.toMatchObject({ code: 'storage/not-found' });
  });

  test('names every file that is missing, cut off or changed, and touches nothing', async () => {
    const { store, models, key } = await keptOf();
    const paths = Object.keys(SMALL).map((path) => models.pathOf(key, path));
    store.files.set(paths[0], (store.files.get(paths[0]) as Uint8Array).slice(1));
    await flipByte(store, paths[1], 4999, 0x10);
    store.files.delete(paths[2]);
    const before = new Map(store.files);
    expect(await models.verify(key)).toMatchObject([
      { path: paths[0], found: '99 bytes', expected: '100 bytes' },
      { path: paths[1] },
      { path: paths[2], found: 'no file' },
    ]);
    await expect(models.open(key)).rejects.toMatchObject({ code: 'storage/damaged', details: { file: paths[0] } });
    expect(new Map(store.files)).toEqual(before);
  });

  test('names a damaged manifest and one of a later version; the first may be copied anew', async () => {
    const { store, models, key } = await keptOf();
    const manifest = `models/${key}/manifest.json`;
    await flipByte(store, manifest, 40, 2);
    expect(await models.list()).toMatchObject({ kept: [], damaged: [{ path: manifest }] });
    await expect(models.get(key)).rejects.toMatchObject({ code: 'storage/damaged', details: { file: manifest } });
    await models.add('tiny', sourcesOf(SMALL));
    expect(await models.list()).toMatchObject({ kept: [{ key }], damaged: [] });
    store.files.set(manifest, await sealJson({ version: 2, key }));
    expect(await models.list()).toMatchObject({ kept: [], damaged: [{ path: manifest, found: 'version 2' }] });
    await expect(models.add('tiny', sourcesOf(SMALL))).rejects.toMatchObject({ code: 'format/unsupported' });
  });

  test('a copy that is cancelled, does not fit or cannot be read leaves nothing', async () => {
    const store = memoryStore();
    const models = new KeptFiles(store, 'models');
    const abort = new AbortController();
    const cancelled = models.add('large', sourcesOf(LARGE), { onProgress: () => abort.abort(), signal: abort.signal });
    await expect(cancelled).rejects.toMatchObject({ code: 'run/cancelled' });
    expect(store.files.size).toBe(0);

    const small = memoryStore({ capacityBytes: 4000 });
    await expect(new KeptFiles(small, 'models').add('tiny', sourcesOf(SMALL))).rejects.toMatchObject({
      code: 'storage/quota',
      details: { found: 4000, expected: 5100 },
    });
    expect(small.files.size).toBe(0);

    const full = { ...small, freeBytes: async () => null };
    await expect(new KeptFiles(full, 'models').add('tiny', sourcesOf(SMALL))).rejects.toMatchObject({ code: 'storage/quota' });
    expect(small.files.size).toBe(0);
    await expect(models.add('out', sourcesOf({ '../out': pattern(3, 1) }))).rejects.toMatchObject({ code: 'storage/failed' });
  });

  test('a removal that a crash ends leaves nothing that counts as kept or damaged', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const { store, key } = await keptOf();
      const dying = new KeptFiles(new FaultyStore(store, { kind: 'crash', operation: 1, atByte: 1, seed }), 'models');
      await expect(dying.remove(key)).rejects.toMatchObject({ code: 'storage/failed' });
      const models = new KeptFiles(store, 'models');
      expect(await models.list()).toEqual({ kept: [], damaged: [] });
      expect(await models.sizeBytes(key)).toBeGreaterThan(0);
      await models.remove(key);
      expect(store.files.size).toBe(0);
    }
  });

  test('survives faults drawn by a seed', async () => {
    const recording = new FaultyStore(memoryStore());
    const { key } = await new KeptFiles(recording, 'datasets').add('tiny', sourcesOf(SMALL));
    const random = new Random(3);
    const problems: string[] = [];
    for (let i = 0; i < 200; i++) {
      const fault = drawFault(random, recording.operations);
      const store = memoryStore();
      const faulty = new FaultyStore(store, fault);
      const error: unknown = await new KeptFiles(faulty, 'datasets').add('tiny', sourcesOf(SMALL)).then(
        () => null,
        (reason: unknown) => reason,
      );
      const next = new KeptFiles(store, 'datasets');
      const { kept, damaged } = await next.list();
      const spoilt = [...damaged, ...(kept.length > 0 ? await next.verify(key) : [])].map(({ path }) => path).join();
      const expected = fault.kind === 'flip' ? faulty.operations[fault.operation].path : '';
      const isWhole = error === null || error instanceof AppError;
      // A crash after the manifest's last byte leaves a whole copy.
      const isKept = kept.length > 0 || damaged.length > 0;
      if (!isWhole || spoilt !== expected || (error === null && !isKept)) problems.push(`${faulty.done}: [${spoilt}], ${String(error)}`);
      if (spoilt !== '') await next.remove(key);
      await next.add('tiny', sourcesOf(SMALL));
      if ((await next.verify(key)).length > 0) problems.push(`${faulty.done}: not whole when copied again`);
    }
    expect(problems).toEqual([]);
  });
});
