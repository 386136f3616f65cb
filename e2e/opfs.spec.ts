/** The browser's own files: what every store must do, checkpoints under faults, and a quota that is used up. */
import { expect, test } from '@playwright/test';
import { expectFullTold, StorePage } from './storage/store-page.ts';

const FAULTS = 30;

for (const isWithoutSyncHandles of [false, true]) {
  test(`does what a store must, ${isWithoutSyncHandles ? 'by streams where there are no' : 'with'} synchronous handles`, async ({
    page,
    baseURL,
  }) => {
    const store = await StorePage.open(page, String(baseURL));
    const problems = await store.run('cases', { isWithoutSyncHandles });
    expect(Object.keys(problems).length).toBeGreaterThan(5);
    expect(problems).toEqual(Object.fromEntries(Object.keys(problems).map((title) => [title, ''])));
  });
}

test('keeps a whole checkpoint through faults drawn by a seed', async ({ page, baseURL }) => {
  const store = await StorePage.open(page, String(baseURL));
  const { struck, problems } = await store.run('faults', { seed: 4, count: FAULTS });
  expect(problems).toEqual([]);
  expect(struck).toBeGreaterThan(FAULTS / 2);
});

test('tells that the browser gives no more space, in a private window', async ({ page, baseURL }) => {
  await expectFullTold(await StorePage.open(page, String(baseURL)));
});

test('keeps a model in pieces, and finds the file that was spoilt', async ({ page, baseURL }) => {
  const store = await StorePage.open(page, String(baseURL));
  const sizeBytes = 20 * 1_048_576 + 123;
  expect(await store.run('model', { sizeBytes })).toEqual({
    fileBytes: sizeBytes,
    damaged: 0,
    damagedAfter: ['models/KEY/files/m/model.gguf'],
  });
});
