/**
 * `npm run bench:answer -- [--seconds N] [--json]`: how long the studio takes to answer, idle and while the demo trains, in one page.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'vite';
import { openFolder } from '../browser.mjs';
import { ROOT, runMain } from '../../scripts/run.mjs';
import { probe } from './probe.mjs';

const READY_TIMEOUT_MS = 120_000;
/** More than are done in the time that is measured. */
const STEPS = '100000';

/** @param {number[]} values */
function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  /** @param {number} share */
  const at = (share) => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1));
  return { count: sorted.length, median: at(0.5), p95: at(0.95), most: at(1) };
}

/** @param {Awaited<ReturnType<typeof probe>>} found */
const summaries = ({ timers, frames, places }) => ({ timers: summary(timers), frames: summary(frames), places: summary(places) });

/** The studio as it is now, apart from dist/. */
async function buildStudio() {
  const outDir = join(ROOT, '.cache', 'bench', 'studio');
  await build({ root: ROOT, logLevel: 'warn', build: { outDir, emptyOutDir: true } });
  return outDir;
}

await runMain(async () => {
  const { values: args } = parseArgs({
    options: { seconds: { type: 'string', default: '20' }, json: { type: 'boolean', default: false } },
  });
  const durationMs = 1000 * Number(args.seconds);
  const { page, version, close } = await openFolder(await buildStudio());
  try {
    page.setDefaultTimeout(READY_TIMEOUT_MS);
    await page.locator('nav a[href="#train"]').click();
    await page.getByRole('button', { name: 'Train the demo' }).waitFor();
    await page.getByRole('textbox', { name: 'Steps', exact: true }).fill(STEPS);
    const idle = await page.evaluate(probe, durationMs);
    await page.getByRole('button', { name: 'Train the demo' }).click();
    const state = page.getByTestId('run-state');
    const stepNow = async () => Number(/step ([\d,]+)/.exec((await state.textContent()) ?? '')?.[1]?.replaceAll(',', '') ?? 0);
    while ((await stepNow()) < 2) await page.waitForTimeout(200);
    const [firstStep, startedAt] = [await stepNow(), performance.now()];
    const training = await page.evaluate(probe, durationMs);
    const stepsPerSecond = ((await stepNow()) - firstStep) / ((performance.now() - startedAt) / 1000);
    if (!(stepsPerSecond > 0)) throw new Error('no step was done while the page was measured');
    const result = { chromium: version, idle: summaries(idle), training: { ...summaries(training), stepsPerSecond } };
    if (args.json) {
      console.log(JSON.stringify(result, null, 2));
      return;
    }
    console.log(`Chromium ${version}; ${stepsPerSecond.toFixed(2)} steps a second while measured. Milliseconds, median / 95 % / most:`);
    const names = { timers: 'a timer is late by', frames: 'between two frames', places: 'a place is painted after' };
    for (const [key, name] of Object.entries(names)) {
      const words = [result.idle, result.training].map((part) => {
        const { median, p95, most } = part[/** @type {keyof typeof names} */ (key)];
        return `${median} / ${p95} / ${most}`;
      });
      console.log(`${name.padEnd(26)} idle ${(words[0] ?? '').padEnd(24)} training ${words[1]}`);
    }
  } finally {
    await close();
  }
});
