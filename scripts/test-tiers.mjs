/** What `npm test` does once the Node version is known to be good: brings what is missing, runs the tiers, counts. */
import { installPackages } from './install.mjs';
import { countCheck, total } from './results.mjs';
import { Plain, stopRunning } from './run.mjs';
import { NEEDS, selectTiers } from './tiers.mjs';

/** @param {number} started in milliseconds */
const minutesSince = (started) => `${((performance.now() - started) / 60_000).toFixed(1)} min`;

/** @param {unknown} error */
function report(error) {
  console.error(error instanceof Plain ? error.message : error);
}

/**
 * Runs the named tiers, all without a name. Prints `N passed, N failed` as its last line, whatever happens on the way.
 * @param {string[]} names
 * @param {import('./tiers.mjs').Tier[]} [from] which tiers there are
 * @throws Plain for a name that no tier has
 */
export async function testTiers(names, from) {
  const tiers = selectTiers(names, from);
  const isCI = process.env.CI === 'true';
  /** @type {{ name: string, counts: import('./results.mjs').Counts, time: string }[]} */
  const results = [];
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      isStopped = true;
      stopRunning();
    });
  }

  const allStarted = performance.now();
  let isInstalled = false;
  try {
    await installPackages();
    isInstalled = true;
  } catch (error) {
    report(error);
    results.push({ name: 'install', counts: countCheck(false), time: minutesSince(allStarted) });
  }
  /** @type {import('./tiers.mjs').Provided} */
  const provided = {};
  /** @type {Set<import('./tiers.mjs').Need>} */
  const needed = new Set(isInstalled ? tiers.flatMap(({ needs = [], wants = [] }) => [...needs, ...wants]) : []);
  for (const need of needed) {
    if (isStopped) break;
    try {
      Object.assign(provided, { [need]: await NEEDS[need].ensure() });
    } catch (error) {
      report(error);
      // A tier that cannot do without it fails by itself, below.
      if (tiers.some(({ needs = [] }) => needs.includes(need))) continue;
      if (isCI) results.push({ name: need, counts: countCheck(false), time: '' });
      else console.log(`Without ${NEEDS[need].title} the tests that need it are skipped.`);
    }
  }
  console.log(`Installing took ${minutesSince(allStarted)}.`);

  for (const { name, needs = [], run } of isInstalled ? tiers : []) {
    console.log(`\n== ${name}`);
    const started = performance.now();
    let counts = countCheck(false);
    const missing = needs.filter((need) => provided[need] === undefined);
    if (isStopped) console.error('Not run: the tests were stopped.');
    else if (missing.length > 0)
      console.error(`Not run: ${missing.map((need) => NEEDS[need].title).join(', ')} is missing, as said above.`);
    else
      counts = await run(provided).catch(
        (/** @type {unknown} */ error) =>
          (report(error), countCheck(false)),
      );
    results.push({ name, counts, time: minutesSince(started) });
    console.log(`-- ${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped, ${minutesSince(started)}`);
  }

  console.log(`\n${'tier'.padEnd(18)}${'passed'.padStart(8)}${'failed'.padStart(8)}${'skipped'.padStart(8)}${'time'.padStart(10)}`);
  for (const { name, counts, time } of results) {
    const numbers = [counts.passed, counts.failed, counts.skipped].map((count) => String(count).padStart(8)).join('');
    console.log(`${name.padEnd(18)}${numbers}${time.padStart(10)}`);
  }
  const sum = total(
    results.map(({ counts }) => counts),
    isCI,
  );
  if (sum.skipped > 0) console.log(isCI ? 'With CI=true the skipped tests count as failed.' : `${sum.skipped} skipped.`);
  console.log(`All of it took ${minutesSince(allStarted)}.`);
  if (sum.failed > 0) process.exitCode = 1;
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
}
