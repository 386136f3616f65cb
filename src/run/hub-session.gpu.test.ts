import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, afterAll, expect, it } from 'vitest';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { Budgets } from '#run/budget.ts';
import { HubClient } from '#run/hub-client.ts';
import { HubSession } from '#run/hub-session.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { readWhole } from '#storage/file-store.ts';
import { LocalHub } from '#storage/testing/local-hub.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'model.safetensors'];
const files = Object.fromEntries(
  names.map((name) => [name, new Uint8Array(readFileSync(new URL(`../cli/fixtures/tiny-llama/${name}`, import.meta.url)))]),
);

let local: LocalHub;
let session: HubSession;
beforeAll(async () => {
  local = await LocalHub.start([{ id: 'tiny/llama', files }]);
});
afterAll(() => local.close());
afterEach(() => session.close());

it('opens a model by range where there is no space for it, as the same model that a kept one is', async () => {
  const store = memoryStore({ capacityBytes: 100_000 });
  const blobOf = async (path: string) => new Blob([(await readWhole(store, path)) as Uint8Array<ArrayBuffer>]);
  const budgets = new Budgets(null);
  const client = new HubClient(store, { sleep: async () => {} });
  session = new HubSession(nodeGpu(), () => {}, { archive: new StoredArchive(store, blobOf), budgets, store, client });
  await session.setHub({ endpoint: local.endpoint });
  await expect(session.hubDownload({ id: 'tiny/llama' })).rejects.toMatchObject({ code: 'storage/quota' });
  const opened = await session.openHubModel({ id: 'tiny/llama' });
  expect(opened).toMatchObject({ name: 'tiny/llama', architecture: 'llama' });
  expect([...store.files.keys()]).toEqual(['settings/hub.json']);
  const ask = { side: 'base', prompt: 'a', maxNewTokens: 4, temperature: 0, topK: 0, topP: 1, seed: 1, id: 1 } as const;
  const answer = (await session.generate(ask)).text;

  const roomy = memoryStore();
  const other = new HubSession(undefined, () => {}, { archive: null, budgets, store: roomy, client });
  expect((await other.hubDownload({ id: 'tiny/llama' })).key).toBe(opened.key);
  const dropped = names.map((path) => ({ path, file: new Blob([files[path]]) }));
  const fromFolder = await session.openModel({ name: 'tiny', files: dropped });
  expect(fromFolder).toEqual({ ...opened, name: 'tiny' });
  expect((await session.generate(ask)).text).toBe(answer);
});
