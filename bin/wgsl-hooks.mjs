/** Module hooks that give a shader's text as its default export. Knows nothing of the project's folders. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * `x.wgsl` and `x.wgsl?raw` become `export default "<text>"`, as Vite gives them.
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, nextLoad) {
  const file = url.startsWith('file:') ? new URL(url) : null;
  if (file === null || !file.pathname.endsWith('.wgsl')) return nextLoad(url, context);
  file.search = '';
  const text = await readFile(fileURLToPath(file), 'utf8');
  return { format: 'module', shortCircuit: true, source: `export default ${JSON.stringify(text)};` };
}
