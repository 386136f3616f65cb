import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AppError } from '#base/errors.ts';
import type { TrainerEvents } from '#protocol/trainer.ts';
import { Budgets } from '#run/budget.ts';
import { HubClient } from '#run/hub-client.ts';
import { HubDataSession } from '#run/hub-data-session.ts';
import { HubSession } from '#run/hub-session.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { readWhole } from '#storage/file-store.ts';
import { LocalHub } from '#storage/testing/local-hub.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const fileOf = (path: string) => new Uint8Array(readFileSync(new URL(path, import.meta.url)));
const TINY = Object.fromEntries(
  ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'model.safetensors'].map((name) => [
    name,
    fileOf(`../cli/fixtures/tiny-llama/${name}`),
  ]),
);
const GGUF = { 'tiny.gguf': fileOf('../formats/fixtures/tiny-llama.gguf') };
const ROWS = fileOf('../formats/fixtures/parquet/datasets.parquet');

let local: LocalHub;
beforeAll(async () => {
  local = await LocalHub.start([
    { id: 'tiny/llama', files: TINY },
    { id: 'tiny/gguf', files: GGUF },
    { id: 'tiny/gated', files: TINY, gated: 'auto', readers: ['my-token'] },
    {
      id: 'tiny/rows',
      kind: 'dataset',
      files: {},
      parquet: { 'default/train/0000.parquet': ROWS, 'default/train/0001.parquet': ROWS, 'default/test/0000.parquet': ROWS },
    },
  ]);
  local.tokens.add('my-token');
});
afterAll(() => local.close());
beforeEach(() => {
  local.fault = () => null;
  local.requests.length = 0;
});

type Heard = { event: string; data: unknown };

/** A trainer's and a data worker's session over one store, as in a page. */
async function open(store = memoryStore()) {
  const heard: Heard[] = [];
  const options = { sleep: async () => {} };
  const blobOf = async (path: string) => new Blob([(await readWhole(store, path)) as Uint8Array<ArrayBuffer>]);
  const archive = new StoredArchive(store, blobOf);
  const session = new HubSession(undefined, (event, data) => heard.push({ event, data }), {
    archive,
    budgets: new Budgets(store),
    store,
    client: new HubClient(store, options),
  });
  const data = new HubDataSession((event, told) => heard.push({ event, data: told }), store, new HubClient(store, options));
  await session.setHub({ endpoint: local.endpoint });
  const progress = () => heard.filter(({ event }) => event === 'hubProgress').map((each) => each.data as TrainerEvents['hubProgress']);
  return { store, session, data, heard, progress };
}

describe('the hub’s settings', () => {
  test('stay on the device; a token goes with its endpoint, and is never told', async () => {
    const { store, session } = await open();
    expect(await session.hub()).toEqual({ endpoint: local.endpoint, hasToken: false });
    expect(await session.setHub({ token: ' my-token ' })).toEqual({ endpoint: local.endpoint, hasToken: true });
    expect([...store.files.keys()]).toEqual(['settings/hub.json']);
    expect(await (await open(store)).session.hub()).toEqual({ endpoint: local.endpoint, hasToken: true });
    expect(await session.setHub({ endpoint: 'https://mirror.example' })).toEqual({ endpoint: 'https://mirror.example', hasToken: false });
    expect(new TextDecoder().decode(store.files.get('settings/hub.json'))).not.toContain('my-token');
    await expect(session.setHub({ endpoint: 'http://mirror.example', token: 'x' })).rejects.toMatchObject({ code: 'hub/failed' });
    expect(await session.hub()).toEqual({ endpoint: 'https://mirror.example', hasToken: false });
  });

  test('are the usual ones where nothing was set, or what was is damaged', async () => {
    const usual = { endpoint: 'https://huggingface.co', hasToken: false };
    expect(await new HubClient(memoryStore()).state()).toEqual(usual);
    expect(await new HubClient(null).state()).toEqual(usual);
    const store = memoryStore();
    store.files.set('settings/hub.json', new TextEncoder().encode('{"endpoint":"https://evil.example"}'));
    expect(await new HubClient(store).state()).toEqual(usual);
  });
});

describe('a model of the hub', () => {
  test('is found, fetched and opened as a kept one', async () => {
    const { session, progress } = await open();
    expect((await session.hubSearch({ text: 'llama' })).map(({ id }) => id)).toEqual(['tiny/llama']);
    const model = await session.hubModel({ id: 'tiny/llama' });
    expect(model).toMatchObject({ isSupported: true, isBase: false, architecture: 'llama' });
    const kept = await session.hubDownload({ id: 'tiny/llama', revision: model.commit });
    expect(kept).toMatchObject({ name: 'tiny/llama', source: { id: 'tiny/llama', commit: model.commit, endpoint: local.endpoint } });
    expect(progress().at(-1)).toMatchObject({ id: 'tiny/llama', commit: model.commit, done: kept.sizeBytes, total: kept.sizeBytes });
    expect((await session.keptModels()).models).toEqual([kept]);
    const { name, files } = await session.keptModelFiles({ key: kept.key });
    expect([name, files.map(({ path }) => path).sort()]).toEqual(['tiny/llama', Object.keys(TINY).sort()]);
  });

  test('is paused, listed and gone on with; one at a time', async () => {
    const { session } = await open();
    const first = session.hubDownload({ id: 'tiny/llama' });
    await expect(session.hubDownload({ id: 'tiny/gguf' })).rejects.toMatchObject({ code: 'run/busy' });
    await expect(session.emptyStorage({ part: 'models' })).rejects.toMatchObject({ code: 'run/busy' });
    local.fault = ({ server }) => {
      if (server === 'cdn') session.pauseHubDownload();
      return null;
    };
    await expect(first).rejects.toMatchObject({ code: 'run/cancelled' });
    local.fault = ({ server, range }) => (server === 'cdn' && range === 'bytes=0-140415' ? { kind: 'drop', afterBytes: 0 } : null);
    await expect(session.hubDownload({ id: 'tiny/llama' })).rejects.toMatchObject({ code: 'hub/offline' });
    const [left] = await session.hubDownloads();
    expect(left).toMatchObject({ name: 'tiny/llama', source: { id: 'tiny/llama' } });
    local.fault = () => null;
    expect((await session.hubDownload({ id: 'tiny/llama' })).key).toBe(left.key);
    expect(await session.hubDownloads()).toEqual([]);
  });

  test('that is gated is fetched with the token, which is in nothing that is kept of it or told', async () => {
    const { session, store, heard } = await open();
    const error: AppError = await session.hubDownload({ id: 'tiny/gated' }).then(
      () => expect.unreachable(),
      (reason: AppError) => reason,
    );
    expect(error).toMatchObject({ code: 'hub/gated', details: { expected: `${local.endpoint}/tiny/gated` } });
    await session.setHub({ token: 'my-token' });
    const kept = await session.hubDownload({ id: 'tiny/gated' });
    const written = [...store.files].filter(([path]) => path !== 'settings/hub.json').map(([, bytes]) => new TextDecoder().decode(bytes));
    expect(JSON.stringify([written, heard, kept, await session.hubModel({ id: 'tiny/gated' })])).not.toContain('my-token');
    expect(local.requests.filter(({ server }) => server === 'cdn').every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test('gives the data worker its tokenizer without being stored: of a folder, or of a GGUF', async () => {
    const { data, store } = await open();
    expect(await data.openHubTokenizer({ id: 'tiny/llama' })).toMatchObject({ hasChatTemplate: true });
    // The file of the fixture has no tokenizer: its metadata was read by range, and that is what is told of it.
    await expect(data.openHubTokenizer({ id: 'tiny/gguf', gguf: 'tiny.gguf' })).rejects.toMatchObject({
      message: 'tiny/gguf/tiny.gguf: tokenizer.ggml.model: nothing was found, a string was expected',
    });
    expect([...store.files.keys()]).toEqual(['settings/hub.json']);
  });
});

describe('a dataset of the hub', () => {
  test('opens with the rows of its split over several files, and with rows that are held out', async () => {
    const { data } = await open();
    const whole = await data.openHubDataset({ id: 'tiny/rows' });
    expect(whole).toMatchObject({ name: 'tiny/rows (train)', hub: { subset: 'default', split: 'train', isPartial: false } });
    const count = whole.rowCount;
    const rows = await data.rows({ start: 0, end: count });
    expect(count % 2).toBe(0);
    expect(rows.slice(count / 2)).toEqual(rows.slice(0, count / 2));

    const part = await data.openHubDataset({ id: 'tiny/rows', split: 'train[1:2]+train[-1:]', heldOutSplit: 'test[:50%]' });
    expect(part).toMatchObject({ name: 'tiny/rows (train[1:2]+train[-1:])', rowCount: 2, columns: whole.columns });
    expect(part.heldOut).toEqual({ name: 'tiny/rows (test[:50%])', rowCount: Math.round(count / 4) });
    expect(await data.rows({ start: 0, end: 2 })).toEqual([rows[1], rows[count - 1]]);
  });

  test('the one before stays when the new one is of no use, or its opening was cancelled', async () => {
    const { data } = await open();
    const { rowCount } = await data.openHubDataset({ id: 'tiny/rows' });
    await expect(data.openHubDataset({ id: 'tiny/rows', split: 'dev' })).rejects.toMatchObject({ code: 'data/invalid' });
    await expect(data.openHubDataset({ id: 'tiny/rows', split: 'train[:0]' })).rejects.toMatchObject({ code: 'data/no-rows' });
    const opening = data.openHubDataset({ id: 'tiny/rows', split: 'test' });
    data.cancelHubDataset();
    await expect(opening).rejects.toMatchObject({ code: 'run/cancelled' });
    expect(await data.rows({ start: 0, end: 10_000 })).toHaveLength(rowCount);
  });
});
