/** The browser's own files in a profile of the disk: a quota that is used up, and a browser that is killed while it writes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { chromium, expect, test } from '@playwright/test';
import { findChromium } from '../scripts/chromium.mjs';
import { expectFullTold, StorePage } from './storage/store-page.ts';

// A trace cannot be taken of a browser that is killed.
test.use({ trace: 'off' });

const KILLS = 8;

/** A browser of our own with a folder of its own, so that its whole group of processes can be killed. */
async function launch(folder: string): Promise<{ process: ChildProcess; endpoint: string }> {
  const args = ['--headless', '--no-sandbox', '--no-first-run', '--disable-quic', '--disable-background-networking'];
  const browser = spawn(
    String(findChromium()?.executable),
    [...args, '--disable-component-update', '--disable-sync', '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank'],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  for await (const line of createInterface({ input: browser.stderr as NodeJS.ReadableStream })) {
    const endpoint = /DevTools listening on (\S+)/.exec(line)?.[1];
    if (endpoint === undefined) continue;
    browser.stderr?.resume();
    return { process: browser, endpoint };
  }
  throw new Error('Chromium ended before it said where it listens');
}

async function kill(browser: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  process.kill(-Number(browser.pid), 'SIGKILL');
  await ended;
}

test('tells that the browser gives no more space, in a window that is not private', async ({ baseURL }) => {
  const { process: running, endpoint } = await launch(test.info().outputPath('profile'));
  try {
    const browser = await chromium.connectOverCDP(endpoint);
    await expectFullTold(await StorePage.open(await browser.contexts()[0].newPage(), String(baseURL)));
  } finally {
    await kill(running);
  }
});

test('loses no checkpoint that was answered when the browser is killed', async ({ baseURL }) => {
  const folder = test.info().outputPath('profile');
  let step = 0;
  for (let round = 0; round < KILLS; round++) {
    const { process: running, endpoint } = await launch(folder);
    try {
      const browser = await chromium.connectOverCDP(endpoint);
      const store = await StorePage.open(await browser.contexts()[0].newPage(), String(baseURL));
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
      await kill(running);
    }
  }
  expect(step).toBeGreaterThan(KILLS);
  await rm(folder, { recursive: true });
});
