/** What a drop looks like: a model, a dataset, a recipe, or neither, by names and first bytes. Opens nothing. */
import type { NamedFile } from '#protocol/trainer.ts';

/** What else people drop; the words are in the text. */
export type LooksLike = 'pdf' | 'zip' | 'image' | 'pickle' | 'model-part' | 'adapter' | 'several-datasets' | 'nothing' | 'unknown';

export type Drop =
  | { kind: 'model'; name: string; files: NamedFile[] }
  | { kind: 'data'; file: NamedFile; heldOut?: NamedFile }
  | { kind: 'recipe'; file: NamedFile }
  | { kind: 'refused'; name: string; looksLike: LooksLike };

/** Parquet is no dataset yet, but the data worker says so better than a guess here. */
const DATA_EXTENSIONS = new Set(['json', 'jsonl', 'ndjson', 'csv', 'tsv', 'parquet']);
const RECIPE_EXTENSIONS = new Set(['yaml', 'yml']);
const MODEL_PARTS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.json',
  'model.safetensors.index.json',
]);
const HELD_OUT = /(^|[^a-z])(held[-_ ]?out|valid(ation)?|val|eval|test|dev)([^a-z]|$)/i;

const MAGIC: readonly (readonly [bytes: string, looksLike: LooksLike])[] = [
  ['%PDF', 'pdf'],
  ['PK\u0003\u0004', 'zip'],
  ['\u001f\u008b', 'zip'],
  ['\u0089PNG', 'image'],
  ['\u00ff\u00d8\u00ff', 'image'],
  ['\u0080\u0002', 'pickle'],
];

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
const extensionOf = (path: string): string => /\.([a-z0-9]+)$/.exec(nameOf(path).toLowerCase())?.[1] ?? '';

/** Paths as dropzones and file pickers give them, without what they put in front; hidden files are left out. */
export function namedFiles(files: readonly File[]): NamedFile[] {
  return files.flatMap((file) => {
    const given = 'path' in file && typeof file.path === 'string' ? file.path : file.webkitRelativePath || file.name;
    const path = given.replace(/^\.?\//, '');
    return nameOf(path).startsWith('.') ? [] : [{ path, file }];
  });
}

export async function classifyDrop(files: readonly NamedFile[]): Promise<Drop> {
  const [first] = files;
  if (first === undefined) return { kind: 'refused', name: '', looksLike: 'nothing' };
  const gguf = files.filter(({ path }) => extensionOf(path) === 'gguf');
  if (gguf[0] !== undefined) return { kind: 'model', name: nameOf(gguf[0].path), files: gguf };

  if (files.length === 1 && RECIPE_EXTENSIONS.has(extensionOf(first.path))) return { kind: 'recipe', file: first };

  const has = (name: string) => files.some(({ path }) => nameOf(path) === name);
  const isFolder = files.some(({ path }) => path.includes('/'));
  if (has('adapter_config.json') && !has('config.json')) return { kind: 'refused', name: folderName(first.path), looksLike: 'adapter' };
  const isModel = has('config.json') || has('tokenizer.json') || files.some(({ path }) => extensionOf(path) === 'safetensors');
  if (isModel && (isFolder || files.length > 1)) return { kind: 'model', name: folderName(first.path), files: [...files] };

  const datasets = files.filter(({ path }) => DATA_EXTENSIONS.has(extensionOf(path)) && !MODEL_PARTS.has(nameOf(path)));
  const [data, other] = datasets;
  if (data !== undefined && other === undefined) return { kind: 'data', file: data };
  if (data !== undefined && other !== undefined) {
    const heldOut = datasets.filter(({ path }) => HELD_OUT.test(nameOf(path)));
    const train = datasets.filter((file) => !heldOut.includes(file));
    if (train.length === 1 && heldOut.length === 1) return { kind: 'data', file: train[0], heldOut: heldOut[0] };
    return { kind: 'refused', name: files.map(({ path }) => nameOf(path)).join(', '), looksLike: 'several-datasets' };
  }
  const name = nameOf(first.path);
  if (MODEL_PARTS.has(name) || extensionOf(name) === 'safetensors') return { kind: 'refused', name, looksLike: 'model-part' };
  const head = new Uint8Array(await first.file.slice(0, 64).arrayBuffer());
  const text = String.fromCharCode(...head);
  const magic = MAGIC.find(([bytes]) => text.startsWith(bytes));
  if (magic !== undefined) return { kind: 'refused', name, looksLike: magic[1] };
  // JSON under another name is still JSON.
  if (/^\s*[[{]/.test(text)) return { kind: 'data', file: first };
  return { kind: 'refused', name, looksLike: 'unknown' };
}

/** The folder that was dropped, or of files dropped side by side what they are. */
function folderName(path: string): string {
  const slash = path.indexOf('/');
  return slash < 0 ? nameOf(path) : path.slice(0, slash);
}
