/** After a first visit the page works with no network; its content policy holds, and it asks no host but its own. */
import { expect, test } from '@playwright/test';
import { StudioPage } from './pages/studio.ts';

test('trains the demo with the network cut, after a first visit', async ({ page, context, baseURL }) => {
  const foreign: string[] = [];
  const refused: string[] = [];
  context.on('request', (request) => {
    if (!request.url().startsWith(new URL(baseURL as string).origin) && !request.url().startsWith('blob:')) foreign.push(request.url());
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) refused.push(message.text());
  });
  const studio = new StudioPage(page);
  await studio.open();
  await expect(page.getByText('This is the demo')).toBeVisible();
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await expect
    .poll(() => page.evaluate(async () => (await (await caches.open((await caches.keys())[0])).keys()).length))
    .toBeGreaterThan(10);

  await context.setOffline(true);
  await page.reload();
  await expect(page.getByText('This is the demo')).toBeVisible();
  const { train } = studio;
  await train.set('Steps', '4');
  await train.set('Rows to answer', '0');
  await train.start();
  await expect(train.state).toContainText('done', { timeout: 120_000 });
  for (const place of ['Model', 'Data', 'Chat', 'Export', 'Runs'] as const) {
    await studio.goTo(place);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  expect(foreign).toEqual([]);
  expect(refused).toEqual([]);
});

test('runs nothing but its own files', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open();
  const refusal = page.waitForEvent('console', (message) => message.text().includes('Content Security Policy'));
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.isBroken = true';
    document.body.append(script);
  });
  await refusal;
  expect(await page.evaluate(() => 'isBroken' in window)).toBe(false);
  await expect(page.evaluate(() => fetch('https://example.org/').then(() => 'fetched'))).rejects.toThrow(/Failed to fetch|violates/);
});
