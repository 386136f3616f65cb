/** Debian packages for the tests, where the machine has apt-get and the user may use it. Leaves the machine's sources as they are. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, run } from './run.mjs';

const SOURCES_LIST = '/etc/apt/sources.list';
const SOURCES_FOLDER = '/etc/apt/sources.list.d';
const ENV = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

/** Whether packages can be installed: apt-get exists and the user is root. */
export function canInstall() {
  return process.getuid?.() === 0 && output('apt-get', ['--version']) !== null;
}

/** The release's code name, such as `bookworm`; null where there is none. */
export async function releaseName() {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1] ?? null;
}

/**
 * Reads the package lists anew. One repository that cannot be read does not keep the others from being used, so there is no result.
 * @param {string[]} [options]
 */
export async function update(options = []) {
  await run('apt-get', [...options, '-o', 'Acquire::Retries=3', 'update'], { env: ENV });
}

/**
 * @param {string[]} packages
 * @param {string[]} [options]
 * @returns {Promise<boolean>} whether apt-get says that they are installed
 */
export async function install(packages, options = []) {
  const args = ['-o', 'Acquire::Retries=3', ...options, 'install', '-y', '--no-install-recommends', ...packages];
  return (await run('apt-get', args, { env: ENV })) === 0;
}

/**
 * The version that apt would install, or null.
 * @param {string} name
 * @param {string[]} [options]
 */
export function candidate(name, options = []) {
  const text = output('apt-cache', [...options, 'policy', name]) ?? '';
  const version = /^ *Candidate: (\S+)$/m.exec(text)?.[1];
  return version === undefined || version === '(none)' ? null : version;
}

/**
 * A sources file with the backports of `release` from the mirror that the given sources take the release itself from, with the same
 * keys and options; null when they name no such mirror.
 * @param {{ name: string, text: string }[]} files `.list` (one line an entry) and `.sources` (deb822) files
 * @param {string} release
 * @returns {{ extension: 'list' | 'sources', text: string } | null}
 */
export function backportsSource(files, release) {
  for (const { name, text } of files) {
    const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'));
    if (name.endsWith('.sources')) {
      for (const stanza of lines.join('\n').split(/\n\s*\n/)) {
        const words = (/** @type {string} */ field) => new RegExp(`^${field}:(.*)$`, 'im').exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
        const isUsed = words('Types').includes('deb') && words('Suites').includes(release) && words('Components').includes('main');
        if (!isUsed || words('Enabled')[0]?.toLowerCase() === 'no') continue;
        const changed = stanza
          .replace(/^Types:.*$/im, 'Types: deb')
          .replace(/^Suites:.*$/im, `Suites: ${release}-backports`)
          .replace(/^Components:.*$/im, 'Components: main');
        return { extension: 'sources', text: `${changed.trim()}\n` };
      }
    } else {
      for (const line of lines) {
        const match = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line);
        if (match === null) continue;
        const [, options = '', uri, suite, components = ''] = match;
        if (suite !== release || !components.split(/\s+/).includes('main')) continue;
        return { extension: 'list', text: `deb ${options}${uri} ${release}-backports main\n` };
      }
    }
  }
  return null;
}

/**
 * Installs packages from the release's backports. The sources that name them are a copy, in a folder of its own that goes away again.
 * @param {string[]} packages
 * @param {string} release
 * @returns {Promise<boolean>} whether they are installed
 */
export async function installFromBackports(packages, release) {
  const names = (await readdir(SOURCES_FOLDER).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name));
  const paths = [...names.map((name) => join(SOURCES_FOLDER, name)), SOURCES_LIST];
  const files = await Promise.all(paths.map(async (path) => ({ name: path, text: await readFile(path, 'utf8').catch(() => '') })));
  const source = backportsSource(files, release);
  if (source === null) return false;

  const folder = await mkdtemp(join(tmpdir(), 'loratory-apt-'));
  try {
    for (const name of names) await cp(join(SOURCES_FOLDER, name), join(folder, name));
    await writeFile(join(folder, `loratory-backports.${source.extension}`), source.text);
    const options = ['-o', `Dir::Etc::SourceParts=${folder}`];
    await update(options);
    return await install(packages, [...options, '-t', `${release}-backports`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
