/**
 * The tiers of `npm test`, in the order in which they run. A new tier is one more entry of TIERS; what it needs from the machine
 * besides the packages is one entry of NEEDS.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, isBuildFresh } from './build.mjs';
import { ensureChromium } from './chromium.mjs';
import { ensureLavapipe } from './lavapipe.mjs';
import { lint } from './lint.mjs';
import { countCheck, countPlaywright, countVitest } from './results.mjs';
import { Plain, ROOT, runPackage } from './run.mjs';
import { smollm2Path } from './smollm2.mjs';

/**
 * What was brought for the tiers; what could not be had is absent.
 * @typedef {{ chromium?: import('./chromium.mjs').Chromium, lavapipe?: import('./lavapipe.mjs').Lavapipe, smollm2?: string }} Provided
 * @typedef {keyof Provided} Need
 * @typedef {import('./results.mjs').Counts} Counts
 */

/**
 * `needs` are brought before any tier runs; a tier runs without those it calls `wants`, and fails without the others.
 * @typedef {{ name: string, needs?: Need[], wants?: Need[], run: (provided: Provided) => Promise<Counts> }} Tier
 */

/** How each need is met, in words for the user and in code. @type {{ [N in Need]: { title: string, ensure: () => Promise<Provided[N]> } }} */
export const NEEDS = {
  chromium: { title: 'Chromium with SwiftShader', ensure: ensureChromium },
  lavapipe: { title: 'lavapipe', ensure: ensureLavapipe },
  smollm2: { title: 'SmolLM2-135M-Instruct', ensure: () => smollm2Path() },
};

const REPORTS = join(ROOT, '.cache', 'reports');

/**
 * Runs a test runner that leaves a JSON report, and gives that with the exit code.
 * @param {string} name of the tier
 * @param {(file: string) => Promise<number>} runner told where the report goes
 */
async function withReport(name, runner) {
  const file = join(REPORTS, `${name.replace(':', '-')}.json`);
  await mkdir(REPORTS, { recursive: true });
  await rm(file, { force: true }); // an old report must not pass for that of a runner that crashed
  const exitCode = await runner(file);
  const text = await readFile(file, 'utf8').catch(() => null);
  /** @type {unknown} */
  let report = null;
  try {
    if (text !== null) report = JSON.parse(text);
  } catch {
    console.error(`${file} is not whole: the runner was cut off.`);
  }
  return { report, exitCode };
}

/**
 * @param {Provided} provided
 * @returns {NodeJS.ProcessEnv}
 */
function testEnv({ chromium, smollm2 }) {
  return { ...process.env, LORATORY_CHROMIUM: chromium?.executable ?? process.env.LORATORY_CHROMIUM, LORATORY_SMOLLM2: smollm2 };
}

/**
 * One of vitest.config.ts's projects.
 * @param {string} name of the tier
 * @param {string} project
 * @param {NodeJS.ProcessEnv} env
 * @param {string[]} files none: all of them
 */
async function vitest(name, project, env, files = []) {
  const { report, exitCode } = await withReport(name, (file) =>
    runPackage(
      'vitest/vitest.mjs',
      ['run', ...files, '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${file}`],
      env,
    ),
  );
  return countVitest(report, exitCode);
}

/**
 * The GPU tests on one software adapter.
 * @param {'swiftshader' | 'lavapipe'} adapter
 * @param {string} manifest of its Vulkan driver
 * @param {Provided} provided
 * @param {{ name: string, files: string[] }} part by itself, all of them
 */
async function gpu(adapter, manifest, provided, { name, files } = { name: `gpu:${adapter}`, files: [] }) {
  const shaderCache = join(ROOT, '.cache', 'mesa');
  await mkdir(shaderCache, { recursive: true });
  const env = {
    ...testEnv(provided),
    LORATORY_ADAPTER: adapter,
    VK_ICD_FILENAMES: manifest,
    VK_DRIVER_FILES: undefined, // would win over VK_ICD_FILENAMES
    MESA_SHADER_CACHE_DIR: shaderCache,
  };
  return vitest(name, 'gpu', env, files);
}

/**
 * The built studio in a real Chromium.
 * @param {string} name of the tier
 * @param {string[]} specs none: all of them
 * @param {NodeJS.ProcessEnv} env
 */
async function e2e(name, specs, env) {
  if (!(await isBuildFresh())) await build();
  const { report, exitCode } = await withReport(name, (file) =>
    runPackage('@playwright/test/cli.js', ['test', ...specs, '--reporter=list,json'], { ...env, PLAYWRIGHT_JSON_OUTPUT_FILE: file }),
  );
  return countPlaywright(report, exitCode);
}

/** @type {Tier[]} */
export const TIERS = [
  { name: 'types', run: async () => countCheck((await runPackage('typescript/bin/tsc', ['-p', '.'])) === 0) },
  { name: 'lint', run: async () => countCheck(await lint()) },
  {
    name: 'build',
    run: async () => {
      await build();
      return countCheck(true);
    },
  },
  { name: 'unit', wants: ['smollm2'], run: (provided) => vitest('unit', 'unit', testEnv(provided)) },
  {
    name: 'gpu:swiftshader',
    needs: ['chromium'],
    wants: ['smollm2'],
    run: (provided) => {
      const manifest = provided.chromium?.swiftshader ?? null;
      if (manifest === null) throw new Plain(`No vk_swiftshader_icd.json lies beside ${provided.chromium?.executable}.`);
      return gpu('swiftshader', manifest, provided);
    },
  },
  {
    name: 'gpu:lavapipe',
    needs: ['lavapipe'],
    wants: ['smollm2'],
    run: (provided) => {
      if (provided.lavapipe === undefined) throw new Plain('No lavapipe.');
      return gpu('lavapipe', provided.lavapipe.manifest, provided);
    },
  },
  {
    name: 'e2e',
    needs: ['chromium'],
    wants: ['smollm2'],
    run: async (provided) => {
      const files = await readdir(join(ROOT, 'e2e'), { recursive: true }).catch(() => []);
      if (!files.some((file) => file.endsWith('.spec.ts'))) {
        console.log('There are no end-to-end tests yet: e2e/ has no *.spec.ts.');
        return { passed: 0, failed: 0, skipped: 0 };
      }
      return e2e('e2e', [], testEnv(provided));
    },
  },
];

/**
 * What `npm run test:long` runs: the same tests that `npm test` runs a twentieth of, in full.
 * @type {Tier[]}
 */
export const LONG_TIERS = [
  {
    name: 'long:faults',
    needs: ['lavapipe'],
    run: async (provided) => longGpu('long:faults', ['src/run/faults.gpu.test.ts', 'src/cli/kills.gpu.test.ts'], provided),
  },
  {
    name: 'long:browser',
    needs: ['chromium'],
    run: async (provided) => e2e('long:browser', ['killed.spec.ts'], { ...testEnv(provided), LORATORY_LONG: '1' }),
  },
];

/**
 * @param {string} name
 * @param {string[]} files
 * @param {Provided} provided
 */
async function longGpu(name, files, provided) {
  if (provided.lavapipe === undefined) throw new Plain('No lavapipe.');
  process.env.LORATORY_LONG = '1';
  return gpu('lavapipe', provided.lavapipe.manifest, provided, { name, files });
}

/**
 * The tiers that the command line names, all without a name; `gpu` names both `gpu:...`.
 * @param {string[]} names
 * @param {Tier[]} tiers
 * @throws Plain for a name that no tier has
 */
export function selectTiers(names, tiers = TIERS) {
  const isNamed = (/** @type {Tier} */ { name }, /** @type {string} */ wanted) => name === wanted || name.startsWith(`${wanted}:`);
  for (const wanted of names) {
    if (!tiers.some((tier) => isNamed(tier, wanted))) {
      throw new Plain(`There is no tier "${wanted}"; there are ${tiers.map(({ name }) => name).join(', ')}.`);
    }
  }
  return names.length === 0 ? tiers : tiers.filter((tier) => names.some((wanted) => isNamed(tier, wanted)));
}
