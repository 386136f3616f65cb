/**
 * The rule that imports run one way, as part of `npm run lint`: reads every import of src/ and workers/ and names those that
 * break it. Knows the order of the folders and nothing of what they hold.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, posix, relative, sep } from 'node:path';
import { parseSync } from 'vite';
import { isMain, ROOT } from './run.mjs';

/** A layer imports itself and what stands to its left. */
export const LAYERS = ['base', 'formats', 'tokenizer', 'data', 'recipe', 'metrics', 'engine', 'export', 'storage', 'protocol', 'run'];
/** What stands on top: each with all that it may import besides itself. None may be imported by another. */
export const TOPS = new Map([
  ['studio', ['base', 'recipe', 'metrics', 'protocol']],
  ['cli', LAYERS],
  ['workers', LAYERS],
]);
/** The same rule inside src/engine. A file beside these folders stands on top of them. */
export const ENGINE = ['gpu', 'graph', 'ops', 'models', 'methods', 'train'];

/**
 * The layer of a file: src/<layer>/... or workers/...; null for what is in none.
 * @param {string} path from the project's root, with `/`
 */
function layerOf(path) {
  const [top = '', layer = '', ...rest] = path.split('/');
  if (top === 'workers') return layer === '' ? null : 'workers';
  if (top !== 'src' || rest.length === 0) return null;
  return layer;
}

/**
 * The rank of a file of src/engine among ENGINE; -1 for a folder that is not in the list.
 * @param {string} path
 */
function engineRank(path) {
  const parts = path.split('/').slice(2);
  return parts.length === 1 ? ENGINE.length : ENGINE.indexOf(parts[0] ?? '');
}

/**
 * What is wrong with the place of a file, or null.
 * @param {string} path from the project's root, with `/`
 */
export function checkPlace(path) {
  const layer = layerOf(path);
  if (layer === null) return path.startsWith('src/') && path.endsWith('.d.ts') ? null : `lies in no layer; src/ holds ${LAYERS.join(', ')}`;
  if (!LAYERS.includes(layer) && !TOPS.has(layer)) return `src/${layer} is not in the order of scripts/layers.mjs: add it where it belongs`;
  if (layer === 'engine' && engineRank(path) < 0) {
    return `src/engine/${path.split('/')[2]} is not in the order of scripts/layers.mjs: add it where it belongs`;
  }
  return null;
}

/**
 * The file that an import of the project's own names, from the project's root; null for a package or a module of Node.
 * @param {string} from
 * @param {string} specifier
 */
function targetOf(from, specifier) {
  const path = specifier.split('?', 1)[0] ?? '';
  if (path.startsWith('#')) return posix.normalize(`src/${path.slice(1)}`);
  if (path.startsWith('.')) return posix.join(posix.dirname(from), path);
  return null;
}

/**
 * What is wrong with one import, or null.
 * @param {string} from the importing file, from the project's root, with `/`
 * @param {string} specifier as written
 */
export function checkImport(from, specifier) {
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return 'is an absolute path: use #layer/file.ts';
  const target = targetOf(from, specifier);
  if (target === null) return null;
  const fromLayer = layerOf(from);
  const toLayer = layerOf(target);
  if (specifier.startsWith('.') && toLayer !== fromLayer) return 'leaves its folder by a relative path: use #layer/file.ts';
  if (specifier.startsWith('#') && specifier.includes('..')) return 'has `..` in a #path: name the file itself';
  if (posix.extname(target) === '') return 'has no file extension';
  if (fromLayer === null || toLayer === null) return null;

  if (fromLayer !== toLayer) {
    const top = TOPS.get(fromLayer);
    const allowed = top ?? LAYERS.slice(0, LAYERS.indexOf(fromLayer));
    if (!allowed.includes(toLayer)) return `goes against the order: ${fromLayer} may import ${allowed.join(', ') || 'nothing'}`;
  } else if (fromLayer === 'engine' && engineRank(target) > engineRank(from)) {
    return `goes against the order inside the engine: ${ENGINE.join(' < ')}`;
  }
  return null;
}

// The nodes of the syntax tree whose `source` names a module.
const IMPORTING = new Set(['ImportDeclaration', 'ExportNamedDeclaration', 'ExportAllDeclaration', 'ImportExpression', 'TSImportType']);

/**
 * Every module that a TypeScript file names: imports, re-exports, `import()` and `import('...')` types.
 * @param {string} path
 * @param {string} text
 * @returns {{ specifier: string, line: number }[]}
 * @throws Error when the text is no TypeScript
 */
export function importsOf(path, text) {
  const { program, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(errors[0].message);
  /** @type {{ specifier: string, line: number }[]} */
  const found = [];
  /** @param {unknown} node */
  const visit = (node) => {
    if (typeof node !== 'object' || node === null) return;
    if ('type' in node && 'source' in node && IMPORTING.has(String(node.type))) {
      const source = /** @type {{ value?: unknown, start: number } | null} */ (node.source);
      if (typeof source?.value === 'string') {
        found.push({ specifier: source.value, line: text.slice(0, source.start).split('\n').length });
      }
    }
    for (const child of Object.values(node)) visit(child);
  };
  visit(program);
  return found;
}

/**
 * All that breaks the rule below `root`, as `path:line: what`.
 * @param {string} root
 */
export async function checkTree(root) {
  const problems = [];
  for (const top of ['src', 'workers']) {
    const entries = await readdir(join(root, top), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile() || !/\.(ts|tsx|mts|js|mjs)$/.test(entry.name)) continue;
      const file = join(entry.parentPath, entry.name);
      const path = relative(root, file).split(sep).join('/');
      const place = checkPlace(path);
      if (place !== null) problems.push(`${path}: ${place}`);
      try {
        for (const { specifier, line } of importsOf(path, await readFile(file, 'utf8'))) {
          const problem = checkImport(path, specifier);
          if (problem !== null) problems.push(`${path}:${line}: '${specifier}' ${problem}`);
        }
      } catch (error) {
        problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return problems.sort();
}

if (isMain(import.meta.url)) {
  const problems = await checkTree(ROOT);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
