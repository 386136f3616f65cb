/** A run whose tab is not looked at: the machine is kept awake, the run goes on, a tab that was frozen goes on when it is woken. */
import { expect, test } from '@playwright/test';
import { StudioPage } from './pages/studio.ts';

declare global {
  interface Window {
    /** Wake locks that are held. */
    heldLocks: () => number;
    setHidden: (hidden: boolean) => void;
  }
}

const STEPS = 400;

test('keeps the machine awake while it trains, and goes on out of sight and after being frozen', async ({ page }) => {
  // A headless browser has nothing to keep awake and is never out of sight: the page is told so, and what it asks for is counted.
  await page.addInitScript(() => {
    const locks: { released: boolean }[] = [];
    const request = async () => {
      const lock = {
        released: false,
        release: async () => {
          lock.released = true;
        },
      };
      locks.push(lock);
      return lock;
    };
    Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    let isHidden = false;
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    window.heldLocks = () => locks.filter(({ released }) => !released).length;
    window.setHidden = (hidden) => {
      isHidden = hidden;
      if (hidden) for (const lock of locks) lock.released = true;
      document.dispatchEvent(new Event('visibilitychange'));
    };
  });
  const held = () => page.evaluate(() => window.heldLocks());
  const studio = new StudioPage(page);
  const { train } = studio;
  await studio.open();
  await train.set('Steps', String(STEPS));
  await train.set('Rows to answer', '2');
  await expect(studio.state('Train')).toHaveText(`ready, ${STEPS} steps`);
  expect(await held()).toBe(0);
  await train.start();
  await expect.poll(() => train.points(), { timeout: 90_000 }).toBeGreaterThan(1);
  expect(await held()).toBe(1);

  await train.button('Pause').click();
  await expect(train.state).toContainText('paused at step', { timeout: 60_000 });
  expect(await held()).toBe(0);
  await train.button('Resume').click();
  await expect.poll(held).toBe(1);

  await expect(train.outOfSight).toHaveCount(0);
  await page.evaluate(() => window.setHidden(true));
  const seen = await train.step();
  await expect.poll(() => train.step(), { timeout: 60_000 }).toBeGreaterThan(seen + 1);
  expect(await held()).toBe(0);
  await page.evaluate(() => window.setHidden(false));
  await expect.poll(held).toBe(1);
  await expect(train.outOfSight).toBeVisible();

  const session = await page.context().newCDPSession(page);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  await page.waitForTimeout(3_000);
  await session.send('Page.setWebLifecycleState', { state: 'active' });
  const woken = await train.step();
  await expect.poll(() => train.step(), { timeout: 60_000 }).toBeGreaterThan(woken + 1);
  await train.button('Stop').click();
  await expect(train.state).toContainText('stopped at step', { timeout: 90_000 });
  expect(await train.points()).toBe(await train.step());
  expect(await held()).toBe(0);
});
