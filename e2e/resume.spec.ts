/** Whatever breaks a run off, going on ends in the bytes of adapter and optimizer that the undisturbed run ends in. */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { OwnBrowser } from './browser/own-browser.ts';
import { TrainerWorker, trainerOf } from './browser/trainer-worker.ts';
import { type RunBytes, ShortRun } from './pages/short-run.ts';
import { StudioPage } from './pages/studio.ts';

// A trace records the page's every change, which costs more than the run.
test.use({ trace: 'off', actionTimeout: 30_000 });

const MIB = 1_048_576;
const LOST = /^The graphics device was lost .* the run goes on from step \d+\.$/;
let undisturbed: RunBytes;

test.beforeAll(async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL });
  const studio = await openStudio(await context.newPage());
  const run = new ShortRun(studio);
  await run.begin();
  undisturbed = await run.end();
  await context.close();
});

async function openStudio(page: Page, url = '/'): Promise<StudioPage> {
  const studio = new StudioPage(page);
  await studio.open(url);
  return studio;
}

/** The page of a context that was there before: what its own files hold is offered. */
async function goOnIn(page: Page, url = '/'): Promise<RunBytes> {
  const run = new ShortRun(await openStudio(page, url));
  expect(await run.goOn()).toBeGreaterThan(0);
  return run.end();
}

test('stopped, and gone on with from the list of runs', async ({ page }) => {
  const studio = await openStudio(page);
  const run = new ShortRun(studio);
  await run.begin();
  await run.midway();
  await studio.train.button('Stop').click();
  await expect(studio.train.state).toContainText(/stopped at step \d+ of/, { timeout: 60_000 });
  const stopped = await studio.train.step();
  expect(stopped).toBeLessThan(run.steps);
  await studio.goTo('Runs');
  await studio.runs.goOn(studio.runs.rows);
  expect(await run.end()).toEqual(undisturbed);
});

test('paused and reloaded, with rows that are answered on the way', async ({ page }) => {
  const studio = await openStudio(page);
  const run = new ShortRun(studio);
  await run.begin({ answers: 2 });
  await run.midway();
  await studio.train.button('Pause').click();
  await expect(studio.train.state).toContainText(/paused at step \d+ of/, { timeout: 60_000 });
  const paused = await studio.train.step();
  await page.reload();
  await studio.opened();
  const button = studio.train.button(`Go on from step ${paused}`);
  await expect(button).toBeEnabled();
  await button.click();
  await expect(studio.train.answers.getByRole('row')).toHaveCount(3);
  expect(await run.end()).toEqual(undisturbed);
});

test('reloaded', async ({ page }) => {
  const run = new ShortRun(await openStudio(page));
  await run.begin();
  await run.midway();
  await page.reload();
  expect(await run.goOn()).toBeGreaterThan(0);
  expect(await run.end()).toEqual(undisturbed);
});

test('its tab closed', async ({ page, context }) => {
  const run = new ShortRun(await openStudio(page));
  await run.begin();
  await run.midway();
  await page.close();
  expect(await goOnIn(await context.newPage())).toEqual(undisturbed);
});

test('its worker ended', async ({ page }) => {
  const run = new ShortRun(await openStudio(page));
  await run.begin();
  await run.midway();
  const worker = await trainerOf(page);
  const ended = new Promise((resolve) => worker.once('close', resolve));
  await worker.evaluate(() => {
    setTimeout(() => {
      self.close();
      throw new Error('ended by the test');
    });
  });
  await ended;
  await expect(page.getByRole('alert')).toContainText('ended by the test');
  await page.reload();
  expect(await run.goOn()).toBeGreaterThan(0);
  expect(await run.end()).toEqual(undisturbed);
});

test('the device destroyed: the page goes on by itself and says so', async ({ page, context }) => {
  const worker = await TrainerWorker.hook(context, page);
  const run = new ShortRun(await openStudio(page));
  await run.begin();
  await run.midway();
  await worker.loseDevice();
  await expect(page.getByText(LOST)).toBeVisible({ timeout: 30_000 });
  expect(await run.end()).toEqual(undisturbed);
  expect(await worker.deviceCount()).toBe(2);
});

test('no space left: the run pauses and says so, and goes on when there is some', async ({ page, context }) => {
  const studio = await openStudio(page);
  const run = new ShortRun(studio);
  await run.begin();
  await run.midway();
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
  await expect(studio.train.state).toContainText(/paused at step \d+: the checkpoint could not be kept/, { timeout: 60_000 });
  await expect(page.getByText(/^The checkpoint of step \d+ could not be kept, so the run paused\.$/)).toBeVisible();
  await session.send('Storage.overrideQuotaForOrigin', { origin });
  await studio.train.button('Resume').click();
  expect(await run.end()).toEqual(undisturbed);
});

test('too little memory: the page names what would fit, and one press makes it', async ({ page, context }) => {
  const worker = await TrainerWorker.hook(context, page);
  const studio = await openStudio(page);
  const run = new ShortRun(studio);
  await run.prepare();
  await expect.poll(() => studio.train.memoryMiB()).toBeGreaterThan(0);
  const planned = await studio.train.memoryMiB();
  await worker.allowTotal((planned - 1) * MIB);
  await studio.train.start();
  await expect(studio.error).toContainText('The device has too little memory for this', { timeout: 60_000 });
  const offered = page.getByRole('listitem').filter({ has: page.getByRole('button', { name: 'Change it and start' }) });
  await expect(offered.first()).toContainText(/^With .* the run needs [\d.]+ MiB instead of [\d.]+ MiB\./);
  await offered.first().getByRole('button').click();
  // Recomputed activations are the same numbers.
  expect(await run.end()).toEqual(undisturbed);
});

test.describe('in a browser whose processes are killed', () => {
  let own: OwnBrowser;
  const launch = async (): Promise<BrowserContext> => {
    const { launchOptions } = test.info().project.use;
    own = await OwnBrowser.launch(test.info().outputPath('profile'), launchOptions?.args);
    return own.context;
  };
  test.afterEach(() => own.kill());

  test('the browser', async ({ baseURL }) => {
    const studio = await openStudio(await (await launch()).newPage(), baseURL);
    const run = new ShortRun(studio);
    await run.begin();
    await run.midway();
    await own.kill();
    expect(await goOnIn(await (await launch()).newPage(), baseURL)).toEqual(undisturbed);
  });

  test('the renderer, and with it page and workers', async ({ baseURL }) => {
    const context = await launch();
    const page = await context.newPage();
    const run = new ShortRun(await openStudio(page, baseURL));
    await run.begin();
    await run.midway();
    const crashed = page.waitForEvent('crash');
    await own.killProcesses('renderer');
    await crashed;
    expect(await goOnIn(await context.newPage(), baseURL)).toEqual(undisturbed);
  });

  test('the GPU process: the page goes on by itself, and after a second time from the list of runs', async ({ baseURL }) => {
    const page = await (await launch()).newPage();
    const studio = await openStudio(page, baseURL);
    const run = new ShortRun(studio);
    await run.begin();
    await run.midway();
    await own.killProcesses('GPU');
    await expect(page.getByText(LOST)).toBeVisible({ timeout: 30_000 });
    await run.reaches(13);
    const kept = await run.kept();
    expect(kept).toBeGreaterThan(8);
    // Chromium takes WebGPU from a page that lost it twice within minutes, and gives it back at a reload.
    await own.killProcesses('GPU');
    await expect(studio.train.state).toContainText(/^failed after \d+ steps$/, { timeout: 30_000 });
    expect(Number(/\d+/.exec((await studio.train.state.textContent()) ?? '')?.[0])).toBeGreaterThanOrEqual(kept);
    await expect(studio.error).toContainText('The browser found nothing to compute on');
    await page.reload();
    await studio.opened();
    await studio.goTo('Runs');
    await expect(studio.runs.rows).toContainText(`checkpoint of step ${kept}`);
    await studio.runs.goOn(studio.runs.rows);
    expect(await run.end()).toEqual(undisturbed);
  });
});
