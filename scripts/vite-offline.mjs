/** A Vite plugin that emits sw.js with the list of the build's files. Written here, since Workbox would bring three hundred packages for it. */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { ROOT } from './run.mjs';

const WORKER = join(ROOT, 'scripts', 'service-worker.js');
/** How Vite names what it emits. */
const HASHED = /^assets\/.+-[\w-]{8}\.\w+$/;

/**
 * Every file below a folder.
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
async function filesBelow(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** @returns {import('vite').Plugin} */
export function offline() {
  let outDir = '';
  return {
    name: 'loratory-offline',
    apply: 'build',
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    /** After the files of public/ were copied too. */
    async closeBundle() {
      const paths = (await filesBelow(outDir)).map((path) => relative(outDir, path).split(sep).join('/')).sort();
      const kept = paths.filter((path) => !path.endsWith('.map') && path !== 'sw.js');
      const hash = createHash('sha256');
      for (const path of kept) hash.update(`${path}\n`).update(await readFile(join(outDir, path)));
      const files = kept.map((path) => ({ path, isHashed: HASHED.test(path) }));
      const build = JSON.stringify({ name: hash.digest('hex').slice(0, 16), files });
      const source = await readFile(WORKER, 'utf8');
      await writeFile(
        join(outDir, 'sw.js'),
        source.replace('= BUILD;', () => `= ${build};`),
      );
    },
  };
}
