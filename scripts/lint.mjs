/** `npm run lint`: oxlint with types, the order of the layers, the format. All three run, whatever the others say. */
import { join } from 'node:path';
import { isMain, ROOT, run, runPackage } from './run.mjs';

/** @returns {Promise<boolean>} whether all is well */
export async function lint() {
  const oxlint = await runPackage('oxlint/bin/oxlint', []);
  const layers = await run(process.execPath, [join(ROOT, 'scripts', 'layers.mjs')]);
  const format = await runPackage('oxfmt/bin/oxfmt', ['--check']);
  if (format !== 0) console.error('`npm run format` puts the files above into form.');
  return oxlint === 0 && layers === 0 && format === 0;
}

if (isMain(import.meta.url) && !(await lint())) process.exitCode = 1;
