/** Which files of a repository a fine-tuning needs. Knows names alone. */
import { AppError } from '#base/errors.ts';
import type { HubFile, HubModel } from '#storage/hub.ts';

/** Configuration and tokenizer, where they are. */
const SMALL_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
]);
const INDEX = 'model.safetensors.index.json';
const SHARD = /^model-\d+-of-\d+\.safetensors$/;

export const isGguf = (path: string): boolean => path.toLowerCase().endsWith('.gguf');

/**
 * The files of a folder of safetensors, all at its top: other formats and copies (`onnx/`, `original/`, `.bin`, `consolidated`) are left
 * out. `gguf`: that one file instead. A repository with one GGUF and no safetensors gives that.
 * @throws AppError `model/missing-file` naming what was found.
 */
export function filesToFetch({ id, files }: Pick<HubModel, 'id' | 'files'>, gguf: string | null = null): HubFile[] {
  const missing = (expected: string, found: string) =>
    new AppError('model/missing-file', `${id}: ${expected} was expected, ${found} was found`, { file: id, expected, found });
  const ggufs = files.filter(({ path }) => isGguf(path));
  if (gguf !== null) {
    const chosen = ggufs.find(({ path }) => path === gguf);
    if (chosen) return [chosen];
    throw missing(gguf, listed(ggufs) || 'no GGUF');
  }
  const top = new Map(files.filter(({ path }) => !path.includes('/')).map((file) => [file.path, file]));
  const weights = weightsOf(top);
  if (weights.length === 0) {
    if (ggufs.length === 1) return ggufs;
    if (ggufs.length > 1) throw missing('the name of one GGUF', listed(ggufs));
    const others = [...top.values()].filter(({ path }) => /\.(bin|pt|pth|h5|msgpack)$/.test(path));
    throw missing('model.safetensors', listed(others) || 'no weights');
  }
  for (const name of ['config.json', 'tokenizer.json']) if (!top.has(name)) throw missing(name, listed([...top.values()]));
  return [...[...top.values()].filter(({ path }) => SMALL_FILES.has(path)), ...weights];
}

function weightsOf(top: ReadonlyMap<string, HubFile>): HubFile[] {
  const index = top.get(INDEX);
  const shards = [...top.values()].filter(({ path }) => SHARD.test(path));
  if (index !== undefined && shards.length > 0) return [index, ...shards];
  const whole = top.get('model.safetensors');
  return whole === undefined ? [] : [whole];
}

function listed(files: readonly HubFile[]): string {
  const names = files.map(({ path }) => path);
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}
