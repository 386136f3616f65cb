/** Finds Mesa's lavapipe, a Vulkan driver that needs no GPU, in a version that Dawn accepts; brings it on Debian and its kin. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { candidate, canInstall, install, installFromBackports, releaseName, update } from './apt.mjs';
import { Plain } from './run.mjs';

/** Dawn refuses lavapipe 22.3; 25 is the oldest that the tests were run with. */
const OLDEST_MAJOR = 25;
const MANIFEST_FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
/** @type {Record<string, { machine: string, triplet: string }>} */
const MACHINES = {
  x64: { machine: 'x86_64', triplet: 'x86_64-linux-gnu' },
  arm64: { machine: 'aarch64', triplet: 'aarch64-linux-gnu' },
};
const PACKAGES = ['libvulkan1', 'mesa-vulkan-drivers'];

/** @typedef {{ manifest: string, version: string }} Lavapipe */

/**
 * The version that Mesa writes into its drivers, such as `25.0.7`; null when there is none.
 * @param {Buffer} library
 */
export function mesaVersion(library) {
  return /Mesa (\d+\.\d+\.\d+)/.exec(library.toString('latin1'))?.[1] ?? null;
}

/** @param {string} version */
export function isMesaNewEnough(version) {
  return Number.parseInt(version.replace(/^\d+:/, ''), 10) >= OLDEST_MAJOR;
}

/**
 * Where the library of a manifest lies: its path, or its name in a folder of the system's libraries.
 * @param {string} manifest
 * @param {string} libraryPath as the manifest has it
 */
function libraryOf(manifest, libraryPath) {
  if (libraryPath.includes('/')) return isAbsolute(libraryPath) ? libraryPath : join(manifest, '..', libraryPath);
  const triplet = MACHINES[process.arch]?.triplet ?? '';
  const folders = [`/usr/lib/${triplet}`, '/usr/lib64', '/usr/lib', `/usr/local/lib/${triplet}`, '/usr/local/lib64', '/usr/local/lib'];
  return folders.map((folder) => join(folder, libraryPath)).find((path) => existsSync(path)) ?? null;
}

/**
 * The newest lavapipe that is installed, whatever its version.
 * @returns {Promise<Lavapipe | null>}
 */
export async function findLavapipe() {
  /** @type {Lavapipe | null} */
  let newest = null;
  for (const folder of MANIFEST_FOLDERS) {
    for (const name of await readdir(folder).catch(() => [])) {
      // Some systems name the machine in the file: lvp_icd.x86_64.json.
      const match = /^lvp_icd(?:\.(\w+))?\.json$/.exec(name);
      if (match === null || (match[1] !== undefined && match[1] !== MACHINES[process.arch]?.machine)) continue;
      const manifest = join(folder, name);
      const library = libraryOf(manifest, String(JSON.parse(await readFile(manifest, 'utf8')).ICD?.library_path ?? ''));
      const version = library === null ? null : mesaVersion(await readFile(library).catch(() => Buffer.alloc(0)));
      if (version !== null && (newest === null || Number.parseFloat(version) > Number.parseFloat(newest.version))) {
        newest = { manifest, version };
      }
    }
  }
  return newest;
}

/** @param {Lavapipe | null} found */
const isGood = (found) => found !== null && isMesaNewEnough(found.version);

/**
 * A lavapipe of version 25 or later: the installed one, the distribution's package, or that of its backports.
 * @returns {Promise<Lavapipe>}
 * @throws Plain when none is to be had
 */
export async function ensureLavapipe() {
  let found = await findLavapipe();
  if (found === null || !isGood(found)) {
    if (canInstall()) {
      await update();
      const packaged = candidate('mesa-vulkan-drivers');
      const release = await releaseName();
      if (packaged !== null && isMesaNewEnough(packaged)) await install(PACKAGES);
      else if (release !== null) await installFromBackports(PACKAGES, release);
      found = await findLavapipe();
    }
  }
  if (found === null || !isGood(found)) {
    const what = found === null ? 'none was found' : `version ${found.version} was found`;
    throw new Plain(
      `The tests need Mesa's lavapipe of version ${OLDEST_MAJOR} or later; ${what}, and none newer could be brought. ` +
        'On Debian 12 it is mesa-vulkan-drivers of bookworm-backports, on newer systems mesa-vulkan-drivers itself.',
    );
  }
  return found;
}
