/** Installs the packages of package-lock.json when node_modules does not hold them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Plain, ROOT, run } from './run.mjs';

/**
 * A lock file's entry, as far as it is compared.
 * @typedef {{ version?: string, integrity?: string, optional?: boolean }} LockEntry
 */

/**
 * Whether the packages that npm recorded in node_modules are those that the lock file asks for. Contents are compared, not times:
 * a checkout that only touches the lock file must not set off an install on a machine without a network.
 * @param {Record<string, LockEntry>} wanted `packages` of package-lock.json
 * @param {Record<string, LockEntry>} installed `packages` of node_modules/.package-lock.json
 */
export function holdsPackages(wanted, installed) {
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path];
    if (found === undefined) {
      if (entry.optional !== true) return false; // optional ones are for other systems, mostly
    } else if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return false;
    }
  }
  return Object.keys(installed).every((path) => path in wanted);
}

/**
 * @param {string} file
 * @returns {Promise<Record<string, LockEntry> | null>}
 */
async function lockedPackages(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * Runs `npm ci` where node_modules is missing or not what package-lock.json asks for.
 * @returns {Promise<boolean>} whether an install was needed
 * @throws Plain when the install fails
 */
export async function installPackages(root = ROOT) {
  const wanted = await lockedPackages(join(root, 'package-lock.json'));
  if (wanted === null) throw new Plain(`${join(root, 'package-lock.json')} is missing or no JSON: the checkout is not complete.`);
  const installed = await lockedPackages(join(root, 'node_modules', '.package-lock.json'));
  if (installed !== null && holdsPackages(wanted, installed)) return false;

  console.log(
    installed === null
      ? 'Installing the packages (npm ci) ...'
      : 'The packages are not those of package-lock.json. Installing (npm ci) ...',
  );
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  const code = npm?.endsWith('.js')
    ? await run(process.execPath, [npm, ...args], { cwd: root })
    : await run('npm', args, { cwd: root, shell: process.platform === 'win32' });
  if (code !== 0) {
    throw new Plain(
      `The packages could not be installed: npm ci ended with code ${code}; its own words are above. ` +
        'The first install needs the npm registry (npm config get registry); after it none.',
    );
  }
  return true;
}
