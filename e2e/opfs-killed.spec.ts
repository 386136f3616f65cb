/** The browser's own files in a profile of the disk: a quota that is used up, and a browser that is killed while it writes. */
import { rm } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { OwnBrowser } from './browser/own-browser.ts';
import { expectFullTold, StorePage } from './storage/store-page.ts';

// A trace cannot be taken of a browser that is killed.
test.use({ trace: 'off' });

const KILLS = 8;

test('tells that the browser gives no more space, in a window that is not private', async ({ baseURL }) => {
  const browser = await OwnBrowser.launch(test.info().outputPath('profile'));
  try {
    await expectFullTold(await StorePage.open(await browser.context.newPage(), String(baseURL)));
  } finally {
    await browser.kill();
  }
});

test('loses no checkpoint that was answered when the browser is killed', async ({ baseURL }) => {
  const folder = test.info().outputPath('profile');
  let step = 0;
  for (let round = 0; round < KILLS; round++) {
    const browser = await OwnBrowser.launch(folder);
    try {
      const store = await StorePage.open(await browser.context.newPage(), String(baseURL));
      const found = await store.run('latest', undefined);
      // At the kill the next one may have been whole already, its answer on its way.
      if (round > 0) {
        expect(found).toMatchObject({ isEqual: true, damaged: [] });
        expect(found.step).toBeGreaterThanOrEqual(step);
      }
      const before = found.step ?? 0;
      await store.begin({ task: 'keep', params: { fromStep: before + 1 } });
      await expect.poll(() => store.lastWritten(), { intervals: [10] }).toBeGreaterThan(before + 1);
      // Another place in the course of a checkpoint each time.
      await new Promise((resolve) => setTimeout(resolve, 13 * round));
      step = await store.lastWritten();
    } finally {
      await browser.kill();
    }
  }
  expect(step).toBeGreaterThan(KILLS);
  await rm(folder, { recursive: true });
});
