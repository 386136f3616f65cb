/** A model fetched by a worker of a real browser: over origins, with a token, paused and gone on with, into the browser's own files. */
import { expect, test } from '@playwright/test';
import { LocalHub } from '#storage/testing/local-hub.ts';
import { StorePage } from './storage/store-page.ts';

const bytes = (length: number) => new Uint8Array(length).map((_, i) => (i * 7 + (i >> 10)) & 0xff);

test('fetches a gated model with a token that the other origin never sees, and goes on after a pause', async ({ page, baseURL }) => {
  const weights = bytes(30_000_000);
  const files = {
    'config.json': new TextEncoder().encode('{"model_type":"llama"}'),
    'tokenizer.json': bytes(300_000),
    'model.safetensors': weights,
  };
  const hub = await LocalHub.start([{ id: 'tiny/gated', files, gated: 'manual', readers: ['my-token'] }]);
  hub.tokens.add('my-token');
  try {
    // The page is made by the test, so that Chromium does not take it for one of this machine.
    await page.context().grantPermissions(['local-network-access']);
    const store = await StorePage.open(page, String(baseURL));
    const found = await store.run('download', { endpoint: hub.endpoint, token: 'my-token', id: 'tiny/gated', pauseAfterBytes: 12_000_000 });
    expect(found).toMatchObject({ ended: 'run/cancelled', damaged: 0 });
    expect(found.files).toEqual(Object.fromEntries(Object.entries(files).map(([path, { byteLength }]) => [path, byteLength])));
    expect(found.pausedBytes).toBeGreaterThanOrEqual(8_000_000);
    expect(found.pausedBytes).toBeLessThan(30_000_000);

    const asked = (server: string) => hub.requests.filter((request) => request.server === server && request.method === 'GET');
    expect(asked('hub').every(({ authorization }) => authorization === 'Bearer my-token')).toBe(true);
    expect(asked('cdn').map(({ authorization }) => authorization)).toEqual(asked('cdn').map(() => undefined));
    // The rest alone came after the pause.
    const last = Number(/^bytes=(\d+)-29999999$/.exec(asked('cdn').at(-1)?.range ?? '')?.[1]);
    expect(last).toBeGreaterThanOrEqual(8_000_000);
  } finally {
    await hub.close();
  }
});
