/** Finds a Chromium for the tests, and the SwiftShader that ships with it; brings one where there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { candidate, canInstall, install, update } from './apt.mjs';
import { Plain, ROOT, runPackage } from './run.mjs';

/**
 * `swiftshader` is the Vulkan driver's manifest (ICD), null where none lies beside the browser.
 * @typedef {{ executable: string, version: string, swiftshader: string | null }} Chromium
 */

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const MAC_CHROME = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
const ICD = 'vk_swiftshader_icd.json';
// A distribution's command is often a script, or a link to one, elsewhere than the browser.
const FOLDERS_OF = new Map([
  ['chromium', ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/snap/chromium/current/usr/lib/chromium-browser']],
  ['chromium-browser', ['/usr/lib/chromium-browser', '/usr/lib64/chromium-browser', '/snap/chromium/current/usr/lib/chromium-browser']],
  ['google-chrome-stable', ['/opt/google/chrome']],
  ['google-chrome', ['/opt/google/chrome']],
]);
const VERSION_TIMEOUT_MS = 30_000;

/**
 * The browser at a path if it runs at all: a distribution may have left a stub that only says how to install one.
 * @param {string} executable
 * @param {string[]} [folders] where SwiftShader may lie, besides beside it
 * @returns {Chromium | null}
 */
function probe(executable, folders = []) {
  if (!existsSync(executable)) return null;
  const result = spawnSync(executable, ['--version'], { encoding: 'utf8', timeout: VERSION_TIMEOUT_MS });
  const version = /\d+\.\d+\.\d+\.\d+/.exec(result.stdout ?? '')?.[0];
  if (result.status !== 0 || version === undefined) return null;
  const swiftshader = [dirname(realpathSync(executable)), ...folders].map((folder) => join(folder, ICD)).find((path) => existsSync(path));
  return { executable, version, swiftshader: swiftshader ?? null };
}

/** Where Playwright's own download lies or would lie; null before the packages are installed. */
function downloadedPath() {
  try {
    /** @type {string} */
    const path = createRequire(join(ROOT, 'package.json'))('@playwright/test').chromium.executablePath();
    return path;
  } catch {
    return null;
  }
}

/**
 * An installed Chromium or Chrome: that of LORATORY_CHROMIUM, one on the PATH, or Playwright's earlier download.
 * @returns {Chromium | null}
 * @throws Plain when LORATORY_CHROMIUM names none
 */
export function findChromium() {
  const wanted = process.env.LORATORY_CHROMIUM;
  if (wanted !== undefined && wanted !== '') {
    const found = probe(wanted, [...FOLDERS_OF.values()].flat());
    if (found === null) throw new Plain(`LORATORY_CHROMIUM is ${wanted}, which is no Chromium that runs.`);
    return found;
  }
  for (const name of NAMES) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const found = folder === '' ? null : probe(join(folder, name), FOLDERS_OF.get(name));
      if (found !== null) return found;
    }
  }
  const downloaded = downloadedPath();
  return probe(MAC_CHROME) ?? (downloaded === null ? null : probe(downloaded));
}

/**
 * An installed Chromium, else the distribution's package, else Playwright's own download.
 * @returns {Promise<Chromium>}
 * @throws Plain when none of them is to be had
 */
export async function ensureChromium() {
  let found = findChromium();
  if (found !== null) return found;

  if (canInstall()) {
    await update();
    // Ubuntu's package of that name, where there is one, only brings a snap, which containers cannot run.
    const version = candidate('chromium');
    if (version !== null && !/ubuntu|snap/.test(version)) {
      await install(['chromium', 'libvulkan1']); // the second is what Dawn in Node loads drivers with
      found = findChromium();
      if (found !== null) return found;
    }
  }
  console.log("No Chromium is installed and no package of the system's is to be had. Trying Playwright's own download ...");
  await runPackage('@playwright/test/cli.js', ['install', ...(canInstall() ? ['--with-deps'] : []), 'chromium']);
  found = findChromium();
  if (found !== null) return found;
  throw new Plain('No Chromium was found and none could be brought. Install chromium or google-chrome, or set LORATORY_CHROMIUM to one.');
}
