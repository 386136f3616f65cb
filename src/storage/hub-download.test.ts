import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { FileStore } from '#storage/file-store.ts';
import { HubDownloads } from '#storage/hub-download.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import { Hub, type HubModel } from '#storage/hub.ts';
import { modelKey } from '#storage/model-key.ts';
import { KeptFiles } from '#storage/models.ts';
import { nodeStore } from '#storage/node-store.ts';
import { type Fault, LocalHub, sha256 } from '#storage/testing/local-hub.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';
import { emptyPart, readUsage } from '#storage/usage.ts';

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const pattern = (length: number, salt: number) => new Uint8Array(length).map((_, i) => (i * salt + (i >> 9) * 31) & 0xff);

const FILES = {
  'config.json': json({ model_type: 'llama' }),
  'tokenizer.json': pattern(200_000, 3),
  'added_tokens.json': new Uint8Array(),
  'model.safetensors': pattern(900_000, 7),
};
const TOTAL_BYTES = Object.values(FILES).reduce((sum, { byteLength }) => sum + byteLength, 0);
const WEIGHTS = 'model.safetensors';

let local: LocalHub;
let hub: Hub;
let model: HubModel;

beforeAll(async () => {
  local = await LocalHub.start([{ id: 'tiny/llama', files: { ...FILES, 'README.md': json('x') } }]);
  hub = new Hub({ endpoint: local.endpoint, sleep: async () => {} });
  model = await hub.model('tiny/llama');
});
afterAll(() => local.close());
beforeEach(() => {
  local.fault = () => null;
  local.requests.length = 0;
});

const download = (store: FileStore, options = {}, of = model) => new HubDownloads(store).fetch(hub, of, filesToFetch(of), options);
const failureOf = async (work: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
};
/** Bytes that the second server gave. */
const cdnRanges = () => local.requests.filter(({ server }) => server === 'cdn').map(({ range }) => range);

async function expectWhole(store: FileStore, key: string): Promise<void> {
  const kept = new KeptFiles(store, 'models');
  const sources = await kept.open(key);
  expect([...sources.keys()].sort()).toEqual(Object.keys(FILES).sort());
  for (const [path, bytes] of Object.entries(FILES)) {
    const found = await sources.get(path)?.read(0, bytes.byteLength);
    expect(Buffer.from(bytes).equals(found as Uint8Array)).toBe(true);
  }
  expect(await kept.verify(key)).toEqual([]);
  expect(await modelKey(sources)).toBe(key);
}

/** A cut in the n-th answer of the second server. */
function dropping(of: (request: number) => number | null): void {
  let count = 0;
  local.fault = ({ server }) => {
    if (server !== 'cdn') return null;
    const afterBytes = of(count++);
    return afterBytes === null ? null : { kind: 'drop', afterBytes };
  };
}

describe('a download', () => {
  test('is kept as any other model, with where it is from', async () => {
    const store = memoryStore();
    const done: number[] = [];
    const kept = await download(store, { onProgress: ({ doneBytes }: { doneBytes: number }) => done.push(doneBytes) });
    await expectWhole(store, kept.key);
    expect(kept).toMatchObject({ name: 'tiny/llama', sizeBytes: TOTAL_BYTES });
    expect(kept.source).toEqual({ endpoint: local.endpoint, id: 'tiny/llama', commit: model.commit });
    expect(done[0]).toBe(0);
    expect(done.at(-1)).toBe(TOTAL_BYTES);
    expect([...done].sort((a, b) => a - b)).toEqual(done);
    expect((await new KeptFiles(store, 'models').list()).kept).toEqual([kept]);
    expect((await readUsage(store)).parts.find(({ part }) => part === 'models')?.items).toMatchObject([{ title: 'tiny/llama' }]);
    expect([...store.files.keys()].some((path) => path.endsWith('download.json'))).toBe(false);
    await new KeptFiles(store, 'models').remove(kept.key);
    expect(store.files.size).toBe(0);
  });

  test('is not made twice, under another commit neither', async () => {
    const store = memoryStore();
    const { key } = await download(store);
    local.requests.length = 0;
    expect((await download(store)).key).toBe(key);
    expect(local.requests).toEqual([]);

    local.put({ id: 'tiny/llama', files: { ...FILES, 'README.md': json('y') } });
    const later = await hub.model('tiny/llama');
    expect(later.commit).not.toBe(model.commit);
    local.requests.length = 0;
    expect((await download(store, {}, later)).key).toBe(key);
    // Its ends, and no more.
    expect(cdnRanges()).toEqual(['bytes=0-131071', 'bytes=786432-899999']);
  });

  test('what has the fingerprint but not the bytes of the hub is fetched again', async () => {
    const store = memoryStore();
    const other = FILES[WEIGHTS].slice();
    other[400_000] ^= 1;
    local.put({ id: 'tiny/llama', files: { ...FILES, [WEIGHTS]: other } });
    const first = await download(store, {}, await hub.model('tiny/llama'));
    const second = await download(store);
    expect(second.key).toBe(first.key);
    await expectWhole(store, second.key);
  });

  test('stops where it is told to, is listed, and goes on from there', async () => {
    const store = memoryStore();
    const pause = new AbortController();
    let paused = 0;
    const onProgress = ({ doneBytes }: { doneBytes: number }) => {
      if (doneBytes < 600_000) return;
      pause.abort();
      paused = doneBytes;
    };
    expect(await failureOf(download(store, { onProgress, signal: pause.signal }))).toMatchObject({ code: 'run/cancelled' });
    const [left] = await new HubDownloads(store).unfinished();
    expect(left).toMatchObject({ name: 'tiny/llama', totalBytes: TOTAL_BYTES, source: { commit: model.commit } });
    expect(left.doneBytes).toBeGreaterThanOrEqual(paused);
    expect(left.doneBytes).toBeLessThan(TOTAL_BYTES);
    expect(await new KeptFiles(store, 'models').list()).toEqual({ kept: [], damaged: [] });
    const had = store.files.get(`models/${left.key}/files/${WEIGHTS}`)?.byteLength;

    local.requests.length = 0;
    const kept = await download(store);
    expect(kept.key).toBe(left.key);
    await expectWhole(store, kept.key);
    expect(cdnRanges()).toEqual([`bytes=${had}-899999`]);
    expect(await new HubDownloads(store).unfinished()).toEqual([]);
  });

  test('a part that is given up can be dropped, and is seen until then', async () => {
    const store = memoryStore();
    dropping((request) => (request < 2 ? null : request === 2 ? 1000 : 0));
    expect(await failureOf(download(store))).toMatchObject({ code: 'hub/offline' });
    const [{ key, doneBytes }] = await new HubDownloads(store).unfinished();
    expect(store.files.get(`models/${key}/files/${WEIGHTS}`)).toEqual(FILES[WEIGHTS].slice(0, 1000));
    expect(doneBytes).toBe(TOTAL_BYTES - 899_000);
    const [item] = (await readUsage(store)).parts.find(({ part }) => part === 'models')?.items ?? [];
    expect(item).toMatchObject({ name: key, title: 'tiny/llama' });
    await emptyPart(store, 'models', key);
    expect(store.files.size).toBe(0);
  });

  test.each([1, 2, 3, 4, 5, 6])('ends in the right bytes after five interruptions of all kinds or more, seed %i', async (seed) => {
    const random = new Random(seed);
    const root = mkdtempSync(join(tmpdir(), 'loratory-hub-'));
    const cuts: number[] = [];
    const cutAt = (afterBytes: number): Fault => {
      cuts.push(afterBytes);
      return { kind: 'drop', afterBytes };
    };
    try {
      while (cuts.length < 5) {
        const stop = new AbortController();
        const [kind, at] = [random.below(3), random.below(900_000)];
        let count = 0;
        const onProgress = ({ doneBytes }: { doneBytes: number }) => {
          if (kind !== 0 || doneBytes < at || stop.signal.aborted) return;
          cuts.push(doneBytes);
          stop.abort();
        };
        local.fault = ({ server }) => {
          if (server !== 'cdn' || kind === 0) return null;
          // Once and then for good, or now and then.
          if (kind === 1) return count++ < 2 ? null : cutAt(count === 3 ? at : 0);
          return random.below(2) === 0 ? cutAt(random.below(300_000)) : null;
        };
        // A new store over the same disk, as after a crash.
        const ended = download(nodeStore(root), { onProgress, signal: stop.signal });
        const kept = await ended.catch((error: AppError) => {
          expect(['run/cancelled', 'hub/offline']).toContain(error.code);
          return null;
        });
        if (kept) await new KeptFiles(nodeStore(root), 'models').remove(kept.key);
      }
      local.fault = () => null;
      const { key } = await download(nodeStore(root));
      await expectWhole(nodeStore(root), key);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  test('goes on over a connection that breaks again and again as long as something comes, and no longer', async () => {
    const store = memoryStore();
    dropping((request) => (request < 2 ? null : 90_000));
    const { key } = await download(store);
    await expectWhole(store, key);
    // The two ends, and ten pieces of 90 000.
    expect(cdnRanges()).toHaveLength(12);
    dropping((request) => (request < 2 ? null : 0));
    local.requests.length = 0;
    expect(await failureOf(download(memoryStore()))).toMatchObject({ code: 'hub/offline' });
    expect(cdnRanges()).toHaveLength(7);
  });

  test('a connection over which nothing comes any more is given up, and gone on with', async () => {
    const store = memoryStore();
    const impatient = new Hub({ endpoint: local.endpoint, sleep: async () => {}, idleMs: 1000 });
    let count = 0;
    local.fault = ({ server }) => (server === 'cdn' && count++ === 2 ? { kind: 'stall', afterBytes: 400_000 } : null);
    const { key } = await new HubDownloads(store).fetch(impatient, model, filesToFetch(model));
    await expectWhole(store, key);
    expect(cdnRanges()).toContain('bytes=400000-899999');
  });

  test('a server that knows no ranges starts anew, and nothing is written twice', async () => {
    const store = memoryStore();
    let count = 0;
    local.fault = ({ server }) => {
      if (server !== 'cdn' || count++ < 2) return null;
      return count === 3 ? { kind: 'drop', afterBytes: 500_000 } : { kind: 'no-range' };
    };
    await expectWhole(store, (await download(store)).key);
  });

  test('bytes that are not the hub’s are fetched once more, then refused and taken away', async () => {
    const store = memoryStore();
    let isOnce = true;
    local.fault = ({ server, range }) => {
      if (server !== 'cdn' || range !== 'bytes=0-899999' || !isOnce) return null;
      isOnce = false;
      return { kind: 'flip', at: 300_000 };
    };
    await expectWhole(store, (await download(store)).key);

    const other = memoryStore();
    local.fault = ({ server, range }) => (server === 'cdn' && range === 'bytes=0-899999' ? { kind: 'flip', at: 300_000 } : null);
    const error = await failureOf(download(other));
    expect(error.code).toBe('storage/damaged');
    expect(error.message).toMatch(/model\.safetensors: SHA-256 [0-9a-f]{64} was found, [0-9a-f]{64}, as the hub has it was expected$/);
    expect(error.message).toContain(sha256(FILES[WEIGHTS]));
    expect([...other.files.keys()].filter((path) => path.endsWith(WEIGHTS))).toEqual([]);
    // A small file has no SHA-256 with the hub, but Git's own hash.
    local.fault = ({ server, url }) =>
      server === 'hub' && url.includes('resolve-cache') && url.includes('tokenizer.json') ? { kind: 'flip', at: 70_000 } : null;
    expect((await failureOf(download(memoryStore()))).message).toMatch(/tokenizer\.json: the blob [0-9a-f]{40} was found/);
  });

  test('is not begun where there is no space for it, and keeps what came where the space ends', async () => {
    const error = await failureOf(download(memoryStore({ capacityBytes: TOTAL_BYTES - 1 })));
    expect(error).toMatchObject({ code: 'storage/quota', details: { expected: TOTAL_BYTES, found: TOTAL_BYTES - 1 } });
    expect(cdnRanges()).toHaveLength(2);
    const tight = memoryStore({ capacityBytes: TOTAL_BYTES - 100_000 });
    const silent: FileStore = { ...tight, freeBytes: async () => null };
    expect(await failureOf(download(silent))).toMatchObject({ code: 'storage/quota' });
    const [left] = await new HubDownloads(silent).unfinished();
    expect(left.doneBytes).toBeGreaterThan(0);
    const larger = memoryStore();
    for (const [path, bytes] of tight.files) larger.files.set(path, bytes);
    await expectWhole(larger, (await download(larger)).key);
  });
});
