/** A browser that is killed again and again in the middle of a run: nothing that was kept is lost, and the run ends in the undisturbed bytes. */
import { rm } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { Random } from '#base/random.ts';
import { OwnBrowser } from './browser/own-browser.ts';
import { type RunBytes, ShortRun } from './pages/short-run.ts';
import { StudioPage } from './pages/studio.ts';

// A trace cannot be taken of a browser that is killed.
test.use({ trace: 'off', actionTimeout: 30_000 });

const KILLS = process.env.LORATORY_LONG === '1' ? 20 : 3;
const SEED = Number(process.env.LORATORY_SEED ?? 6);
/** Of a killed browser, at the most. */
const MOST_STEPS = 7;
const MOST_MS = 400;
/** So many that no browser lives to the end of the run before it is killed. */
const STEPS = (MOST_STEPS + 2) * KILLS;
/** On two loaded cores. */
const ROUND_MS = 45_000;
const STEP_MS = 5_000;

/** The studio in a browser of its own with this profile; `work` ends in a kill or at the end of the run. */
async function inBrowser<T>(folder: string, work: (studio: StudioPage, browser: OwnBrowser) => Promise<T>): Promise<T> {
  const { launchOptions, baseURL } = test.info().project.use;
  const browser = await OwnBrowser.launch(folder, launchOptions?.args);
  try {
    const studio = new StudioPage(await browser.context.newPage());
    await studio.open(baseURL);
    return await work(studio, browser);
  } finally {
    await browser.kill();
  }
}

test(`goes on after each of ${KILLS} kills of the browser`, async () => {
  test.setTimeout((KILLS + 2) * ROUND_MS + STEPS * STEP_MS);
  const whole = test.info().outputPath('undisturbed');
  const undisturbed = await inBrowser(whole, async (studio): Promise<RunBytes> => {
    const run = new ShortRun(studio, STEPS);
    await run.begin();
    return run.end();
  });

  const folder = test.info().outputPath('killed');
  const random = new Random(SEED);
  const moments: string[] = [];
  let kept = 0;
  for (let round = 0; round < KILLS; round++) {
    await inBrowser(folder, async (studio, browser) => {
      const run = new ShortRun(studio, STEPS);
      let from = 0;
      if (round === 0) {
        await run.begin();
      } else {
        from = await run.goOn();
        expect(from).toBeGreaterThanOrEqual(kept);
      }
      // One that goes on may be killed before its next step, while rows, adapter and kernels are made ready.
      const steps = random.below(MOST_STEPS + 1);
      if (steps > 0 || round === 0) await run.reaches(from + Math.max(1, steps));
      await new Promise((resolve) => setTimeout(resolve, random.below(MOST_MS)));
      kept = Math.max(kept, await run.kept());
      moments.push(`${from} to ${await studio.train.step()}`);
      await browser.kill();
    });
  }
  console.log(`${KILLS} kills, from checkpoint to step: ${moments.join(', ')}`);
  const bytes = await inBrowser(folder, async (studio) => {
    const run = new ShortRun(studio, STEPS);
    expect(await run.goOn()).toBeGreaterThanOrEqual(kept);
    const ended = await run.end();
    await studio.goTo('Runs');
    await expect(studio.runs.rows).toHaveCount(1);
    await expect(studio.runs.damaged).toHaveCount(0);
    return ended;
  });
  expect(bytes).toEqual(undisturbed);
  await Promise.all([whole, folder].map((path) => rm(path, { recursive: true })));
});
