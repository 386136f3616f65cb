import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import type { HubWait } from '#storage/hub-requests.ts';
import { openFromHub } from '#storage/hub-source.ts';
import { Hub, parseHubId } from '#storage/hub.ts';
import { LocalHub, type LocalRepository, blobId, sha256 } from '#storage/testing/local-hub.ts';

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const pattern = (length: number, salt: number) => new Uint8Array(length).map((_, i) => (i * salt + (i >> 9)) & 0xff);

const FILES = {
  'config.json': json({ model_type: 'llama', hidden_size: 8 }),
  'tokenizer.json': json({ model: {} }),
  'tokenizer_config.json': json({}),
  'README.md': json('readme'),
  'model.safetensors': pattern(10_000_000, 7),
  'pytorch_model.bin': pattern(10, 3),
  'onnx/model.onnx': pattern(10, 4),
  'original/consolidated.00.pth': pattern(10, 5),
};
const REPOSITORIES: LocalRepository[] = [
  {
    id: 'tiny/llama',
    files: FILES,
    license: 'apache-2.0',
    downloads: 5,
    likes: 2,
    tags: ['text-generation'],
    info: { config: { model_type: 'llama', tokenizer_config: {} }, safetensors: { parameters: { BF16: 100, F32: 10 }, total: 110 } },
  },
  {
    id: 'tiny/llama-chat',
    files: { ...FILES, 'chat_template.jinja': json('x') },
    downloads: 50,
    info: { config: { model_type: 'llama', tokenizer_config: {} } },
  },
  { id: 'tiny/gated-llama', files: FILES, gated: 'manual', readers: ['accepted'], info: { config: { model_type: 'llama' } } },
  { id: 'tiny/secret', files: FILES, isPrivate: true, readers: ['accepted'] },
  { id: 'other/bert', files: { 'config.json': json({ model_type: 'bert' }), 'model.bin': pattern(5, 1) } },
];

let local: LocalHub;
const waits: HubWait[] = [];
const hubOf = (options: ConstructorParameters<typeof Hub>[0] = {}) =>
  new Hub({ endpoint: local.endpoint, onWait: (wait) => waits.push(wait), sleep: async () => {}, ...options });
const failureOf = async (work: Promise<unknown>): Promise<AppError> => {
  const error: unknown = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
};

beforeAll(async () => {
  local = await LocalHub.start(REPOSITORIES);
  for (const token of ['accepted', 'stranger']) local.tokens.add(token);
});
afterAll(() => local.close());
beforeEach(() => {
  waits.length = 0;
  local.requests.length = 0;
  local.fault = () => null;
});

describe('what a hub has', () => {
  test('a search gives cards, the most downloaded first', async () => {
    const cards = await hubOf().search('LLAMA', { limit: 2 });
    expect(cards.map(({ id }) => id)).toEqual(['tiny/llama-chat', 'tiny/llama']);
    expect(cards[1]).toEqual({
      id: 'tiny/llama',
      downloads: 5,
      likes: 2,
      license: 'apache-2.0',
      isGated: false,
      architecture: 'llama',
      parameterCount: 110,
      weightBytes: 240,
    });
    expect((await hubOf().search('llama')).map(({ id, isGated }) => [id, isGated])).toContainEqual(['tiny/gated-llama', true]);
    expect(await hubOf().search('', { filter: 'text-generation' })).toHaveLength(1);
  });

  test('a model at a commit: its files with their hashes, its config, whether it is known, base or not', async () => {
    const model = await hubOf().model('tiny/llama', { supported: ['llama'] });
    expect(model).toMatchObject({ id: 'tiny/llama', license: 'apache-2.0', isReadable: true, isSupported: true, isBase: true });
    expect(model.commit).toMatch(/^[0-9a-f]{40}$/);
    expect(model.config).toEqual({ model_type: 'llama', hidden_size: 8 });
    expect(model.files).toContainEqual({
      path: 'model.safetensors',
      sizeBytes: 10_000_000,
      sha256: sha256(FILES['model.safetensors']),
      blobId: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    const config = model.files.find(({ path }) => path === 'config.json');
    expect(config).toMatchObject({ sha256: null, blobId: blobId(FILES['config.json']) });
    expect(await hubOf().model('tiny/llama', { revision: model.commit })).toMatchObject({ commit: model.commit, isSupported: false });
    expect(await hubOf().model('tiny/llama-chat')).toMatchObject({ isBase: false });
    expect(await hubOf().model('other/bert', { supported: ['llama'] })).toMatchObject({
      architecture: 'bert',
      isSupported: false,
      isBase: null,
    });
  });

  test('sizes come from the tree where the model tells none', async () => {
    const told = await hubOf().model('tiny/llama');
    const withoutBlobs: typeof fetch = (url, init) => fetch((url as string).replace('?blobs=true', ''), init);
    expect((await hubOf({ fetch: withoutBlobs }).model('tiny/llama')).files).toEqual(told.files);
  });

  test('ids', () => {
    expect(parseHubId('org/na.me-1_x')).toEqual({ id: 'org/na.me-1_x', revision: null });
    expect(parseHubId('gpt2@refs/pr/1')).toEqual({ id: 'gpt2', revision: 'refs/pr/1' });
    for (const text of ['', '../x', 'a/..', 'a/b/c', './model', '/tmp/model', 'a b', 'a@', 'a/b?c']) expect(parseHubId(text)).toBeNull();
  });
});

describe('the files that a fine-tuning needs', () => {
  const files = (...paths: string[]) => ({ id: 'a/b', files: paths.map((path) => ({ path, sizeBytes: 1, sha256: null, blobId: null })) });
  const pathsOf = (...args: Parameters<typeof filesToFetch>) => filesToFetch(...args).map(({ path }) => path);

  test('safetensors at the top with configuration and tokenizer, nothing else', async () => {
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
    expect(pathsOf(await hubOf().model('tiny/llama'))).toEqual(names);
  });

  test('the shards with their index, and not what lies beside them', () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const others = ['consolidated.safetensors', 'adapter_model.safetensors', 'model.fp16.safetensors', 'q4.gguf', 'x/model.safetensors'];
    const small = ['config.json', 'tokenizer.json'];
    expect(pathsOf(files(...small, 'model.safetensors.index.json', ...shards, ...others))).toEqual([
      ...small,
      'model.safetensors.index.json',
      ...shards,
    ]);
  });

  test('a GGUF by its name, or the only one; what is missing is named', () => {
    expect(pathsOf(files('a.Q4.gguf', 'b.Q8.gguf', 'README.md'), 'b.Q8.gguf')).toEqual(['b.Q8.gguf']);
    expect(pathsOf(files('README.md', 'only.gguf'))).toEqual(['only.gguf']);
    const message = (...args: Parameters<typeof filesToFetch>) => {
      try {
        filesToFetch(...args);
      } catch (error) {
        return (error as AppError).message;
      }
      throw new Error('no error');
    };
    expect(message(files('a.Q4.gguf', 'b.Q8.gguf'))).toBe('a/b: the name of one GGUF was expected, a.Q4.gguf, b.Q8.gguf was found');
    expect(message(files('a.gguf'), 'c.gguf')).toBe('a/b: c.gguf was expected, a.gguf was found');
    expect(message(files('config.json', 'pytorch_model.bin'))).toBe('a/b: model.safetensors was expected, pytorch_model.bin was found');
    expect(message(files('config.json'))).toBe('a/b: model.safetensors was expected, no weights was found');
    expect(message(files('config.json', 'model.safetensors'))).toMatch('a/b: tokenizer.json was expected');
  });
});

describe('bytes by range', () => {
  const ref = async (path: string, hub = hubOf()) =>
    ({ kind: 'model', id: 'tiny/llama', revision: (await hub.model('tiny/llama')).commit, path }) as const;

  test('a range of a large file comes from the other origin, of a small one from the hub', async () => {
    const bytes = FILES['model.safetensors'];
    expect(await hubOf().readRange(await ref('model.safetensors'), 5_000_000, 5_000_010)).toEqual({
      bytes: bytes.subarray(5_000_000, 5_000_010),
      totalBytes: bytes.byteLength,
    });
    expect(local.requests.at(-1)).toMatchObject({ server: 'cdn', range: 'bytes=5000000-5000009' });
    expect((await hubOf().readRange(await ref('config.json'), 2, 4)).bytes).toEqual(FILES['config.json'].subarray(2, 4));
    expect(local.requests.at(-1)).toMatchObject({ server: 'hub', range: 'bytes=2-3' });
  });

  test('sources fetch what is not in memory, and only that', async () => {
    const hub = hubOf();
    const model = await hub.model('tiny/llama');
    const sources = openFromHub(hub, { kind: 'model', id: model.id, revision: model.commit }, filesToFetch(model));
    const source = sources.get('model.safetensors');
    const bytes = FILES['model.safetensors'];
    const ranges = () => local.requests.filter(({ server }) => server === 'cdn').map(({ range }) => range);
    expect(await source?.read(4_194_300, 4_194_310)).toEqual(bytes.subarray(4_194_300, 4_194_310));
    expect(ranges()).toEqual(['bytes=0-8388607']);
    expect(sha256((await source?.read(0, bytes.byteLength)) as Uint8Array)).toBe(sha256(bytes));
    expect(ranges()).toEqual(['bytes=0-8388607', 'bytes=8388608-9999999']);
    expect(await source?.read(9_999_999, 10_000_000)).toEqual(bytes.subarray(9_999_999));
    expect(await source?.read(7, 7)).toEqual(new Uint8Array());
    expect(ranges()).toHaveLength(2);
    await expect(source?.read(0, 10_000_001)).rejects.toMatchObject({ code: 'format/truncated' });
  });

  test('a server that knows no ranges gives the part all the same', async () => {
    local.fault = ({ server }) => (server === 'cdn' ? { kind: 'no-range' } : null);
    const { bytes } = await hubOf().readRange(await ref('model.safetensors'), 1000, 1010);
    expect(bytes).toEqual(FILES['model.safetensors'].subarray(1000, 1010));
  });
});

describe('the token', () => {
  test('goes to the hub alone, and into no error', async () => {
    const hub = hubOf({ token: 'accepted' });
    const model = await hub.model('tiny/gated-llama');
    expect(model).toMatchObject({ isGated: true, isReadable: true });
    await hub.readRange({ kind: 'model', id: model.id, revision: model.commit, path: 'model.safetensors' }, 0, 100);
    const seen = (server: string) => local.requests.filter((request) => request.server === server);
    expect(seen('hub').length).toBeGreaterThan(1);
    expect(seen('hub').every(({ authorization }) => authorization === 'Bearer accepted')).toBe(true);
    expect(seen('cdn').map(({ authorization }) => authorization)).toEqual([undefined]);

    const errors = [
      await failureOf(hub.model('tiny/nothing')),
      await failureOf(hubOf({ token: 'no-such-token' }).model('tiny/llama')),
      await failureOf(hubOf({ token: 'no-such-token', endpoint: 'http://127.0.0.1:1' }).model('tiny/llama')),
    ];
    const told = JSON.stringify(errors.map(({ message, details, stack, cause }) => [message, details, stack, String(cause)]));
    expect(told).not.toMatch(/no-such-token|accepted"/);
    expect(local.requests.some(({ url }) => /accepted|no-such-token/.test(url))).toBe(false);
  });

  test('is not sent in the clear, nor to an address that is none', () => {
    const message = (endpoint: string, token: string | null = null) => {
      try {
        return new Hub({ endpoint, token }).host;
      } catch (error) {
        return (error as AppError).message;
      }
    };
    expect(message('http://hub.example', 'secret')).toMatch(/^the hub's address: http:\/\/hub\.example with a token was found, https/);
    expect(message('http://hub.example')).toBe('hub.example');
    expect(message('https://hub.example/')).toBe('hub.example');
    for (const endpoint of ['hub.example', 'ftp://hub.example', 'https://user:pass@hub.example', 'https://hub.example/path', '']) {
      expect(message(endpoint)).toMatch(/was expected$/);
    }
  });
});

describe('failures', () => {
  const failure = (id: string, options?: Parameters<typeof hubOf>[0], revision?: string) =>
    failureOf(hubOf(options).model(id, { revision }));

  test.each([
    ['tiny/nothing', undefined, undefined, 'hub/not-found', /tiny\/nothing: 401: there is no such model, or it is private$/],
    ['tiny/nothing', 'stranger', undefined, 'hub/not-found', /tiny\/nothing: 404 RepoNotFound: there is no such model, or it is private$/],
    ['tiny/secret', 'stranger', undefined, 'hub/not-found', /there is no such model, or it is private$/],
    ['tiny/llama', undefined, 'v9', 'hub/not-found', /tiny\/llama: there is no revision v9$/],
    ['tiny/llama', 'wrong', undefined, 'hub/token', /tiny\/llama: 401, the hub does not know the token$/],
    ['not an id', undefined, undefined, 'hub/not-found', /an id as org\/name was expected$/],
  ] as const)('%s with the token %s, revision %s', async (id, token, revision, code, message) => {
    const error = await failure(id, { token }, revision);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    if (id !== 'not an id') expect(error.message.startsWith(`${new URL(local.endpoint).host}: `)).toBe(true);
  });

  test.each([
    [undefined, /: 401 GatedRepo: it is gated; its terms must be accepted at .*\/tiny\/gated-llama, and a token of that account be given$/],
    ['stranger', /: 403 GatedRepo: it is gated; its terms must be accepted at .*, with the account whose token is used$/],
  ] as const)('a gated model with the token %s is told of, its files are not to be had', async (token, message) => {
    const hub = hubOf({ token });
    const model = await hub.model('tiny/gated-llama', { supported: ['llama'] });
    expect(model).toMatchObject({ isGated: true, isReadable: false, config: null, isSupported: true });
    expect(model.files).toHaveLength(Object.keys(FILES).length);
    const ref = { kind: 'model', id: model.id, revision: model.commit, path: 'model.safetensors' } as const;
    const error = await failureOf(hub.readRange(ref, 0, 1));
    expect(error).toMatchObject({ code: 'hub/gated', details: { expected: `${local.endpoint}/tiny/gated-llama` } });
    expect(error.message).toMatch(message);
  });

  test('waits as long as a 429 says, then goes on', async () => {
    let left = 3;
    const headers: Record<string, string>[] = [
      { RateLimit: '"api";r=0;t=7' },
      { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() },
      { 'Retry-After': '2' },
    ];
    local.fault = () => (left-- > 0 ? { kind: 'status', status: 429, headers: headers[left] } : null);
    await hubOf().search('llama');
    expect(waits.map(({ seconds }) => Math.ceil(seconds / 60 >= 0.9 ? 60 : seconds))).toEqual([2, 60, 7]);
    expect(waits[0]).toEqual({ host: new URL(local.endpoint).host, seconds: 2, status: 429 });
  });

  test('is told of a 429 that does not end, or asks for longer than one waits', async () => {
    local.fault = () => ({ kind: 'status', status: 429 });
    expect(await failure('tiny/llama')).toMatchObject({ code: 'hub/rate-limit', message: expect.stringMatching(/429, too many requests/) });
    expect(local.requests).toHaveLength(5);
    expect(waits.map(({ seconds }) => seconds)).toEqual([0.5, 1, 2, 4]);
    local.requests.length = 0;
    local.fault = () => ({ kind: 'status', status: 429, headers: { 'Retry-After': '3600' } });
    expect(await failure('tiny/llama')).toMatchObject({ code: 'hub/rate-limit' });
    expect(local.requests).toHaveLength(1);
  });

  test('a wait can be cancelled', async () => {
    local.fault = () => ({ kind: 'status', status: 429, headers: { 'Retry-After': '300' } });
    const abort = new AbortController();
    const onWait = () => setTimeout(() => abort.abort(), 10);
    const startedAt = performance.now();
    const asked = new Hub({ endpoint: local.endpoint, onWait }).search('llama', { signal: abort.signal });
    expect(await failureOf(asked)).toMatchObject({ code: 'run/cancelled' });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await failureOf(hubOf().search('llama', { signal: abort.signal }))).toMatchObject({ code: 'run/cancelled' });
  });

  test('a 500 once, and a connection that is cut once, are not told of', async () => {
    let count = 0;
    local.fault = () => [{ kind: 'status', status: 500 } as const, null, null, { kind: 'drop', afterBytes: 3 } as const][count++] ?? null;
    expect(await hubOf().model('tiny/llama')).toMatchObject({ config: { model_type: 'llama' } });
    // The answer, then config.json: its redirect, what is cut, and all of it again.
    expect(waits.map(({ status }) => status)).toEqual([500, null]);
  });

  test('an address of another server that no longer holds is asked for again', async () => {
    const hub = hubOf();
    const { commit } = await hub.model('tiny/llama');
    const ref = { kind: 'model', id: 'tiny/llama', revision: commit, path: 'model.safetensors' } as const;
    let isFirst = true;
    local.fault = ({ server }) => {
      if (server !== 'cdn' || !isFirst) return null;
      isFirst = false;
      return { kind: 'status', status: 403 };
    };
    expect((await hub.readRange(ref, 0, 4)).bytes).toEqual(FILES['model.safetensors'].subarray(0, 4));
    local.fault = ({ server }) => (server === 'cdn' ? { kind: 'status', status: 403 } : null);
    const error = await failureOf(hub.readRange(ref, 0, 4));
    expect(error).toMatchObject({ code: 'hub/failed' });
    expect(error.message).toMatch(/model\.safetensors: 403 of 127\.0\.0\.1:\d+ was found, the file was expected$/);
  });

  test('a refusal without a code is told in the hub’s own words, but for the token', async () => {
    const said = 'Enable access to gated repositories for accepted in your settings';
    local.fault = () => ({ kind: 'status', status: 403, headers: { 'X-Error-Message': said } });
    const error = await failure('tiny/llama', { token: 'accepted' });
    expect(error.code).toBe('hub/gated');
    expect(error.message).toContain(
      'tiny/llama: 403, "Enable access to gated repositories for (the token) in your settings": the hub refuses it',
    );
  });

  test('a hub that is not there, and one that answers something else', async () => {
    const error = await failure('tiny/llama', { endpoint: 'http://127.0.0.1:1' });
    expect(error).toMatchObject({ code: 'hub/offline', details: { host: '127.0.0.1:1' } });
    expect(error.message).toMatch(/^127\.0\.0\.1:1: tiny\/llama: no answer came \(.+\); is this device online, and the address right\?$/);
    const answering =
      (text: string): typeof fetch =>
      async () =>
        new Response(text);
    expect(await failure('tiny/llama', { fetch: answering('<html>') })).toMatchObject({ code: 'hub/failed' });
    expect(await failure('tiny/llama', { fetch: answering('{"id":"tiny/llama"}') })).toMatchObject({ code: 'hub/failed' });
    expect(await failureOf(hubOf({ fetch: answering('{}') }).search('x'))).toMatchObject({ code: 'hub/failed' });
    local.fault = () => ({ kind: 'status', status: 418 });
    expect((await failure('tiny/llama')).message).toMatch(/the answer 418 was found/);
  });
});
