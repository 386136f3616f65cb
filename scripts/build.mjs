/** Builds the page with Vite into dist/, by itself (`npm run build`) or for the other scripts. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMain, Plain, ROOT, runMain, runPackage } from './run.mjs';

const SOURCES = [
  'index.html',
  'src',
  'workers',
  'public',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vite.config.ts',
  'scripts',
];

/**
 * The newest change below a path in milliseconds, 0 when there is none. Folders count: a deleted file changes only its folder.
 * @param {string} path
 * @returns {Promise<number>}
 */
async function newestChange(path) {
  const info = await stat(path).catch(() => null);
  if (info === null) return 0;
  if (!info.isDirectory()) return info.mtimeMs;
  const inside = await Promise.all((await readdir(path)).map((name) => newestChange(join(path, name))));
  return Math.max(info.mtimeMs, ...inside);
}

/** @param {string} root */
const stampOf = (root) => join(root, '.cache', 'built');

/** Whether dist/ was built from the sources as they are now. */
export async function isBuildFresh(root = ROOT) {
  if (!existsSync(join(root, 'dist', 'index.html'))) return false;
  const stamp = await stat(stampOf(root)).catch(() => null);
  if (stamp === null) return false;
  const changes = await Promise.all(SOURCES.map((name) => newestChange(join(root, name))));
  return Math.max(...changes) <= stamp.mtimeMs;
}

/** @throws Plain when Vite fails */
export async function build() {
  const started = new Date();
  const code = await runPackage('vite/bin/vite.js', ['build']);
  if (code !== 0) throw new Plain(`The build failed: vite ended with code ${code}; its own words are above.`);
  // The stamp bears the time of the start: what was edited during the build is newer than it.
  await mkdir(join(ROOT, '.cache'), { recursive: true });
  await writeFile(stampOf(ROOT), '');
  await utimes(stampOf(ROOT), started, started);
}

if (isMain(import.meta.url)) await runMain(build);
