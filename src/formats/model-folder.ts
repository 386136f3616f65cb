/** Finds a model's files among those that were dropped or listed. Knows names alone, opens nothing. */
import { AppError } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';

/** The files of one model by the names that Hugging Face gives them. */
export interface ModelFolder {
  /** The folder around the model, with its slash, or ''. */
  prefix: string;
  /** The file of that name, or undefined. */
  find(name: string): ByteSource | undefined;
  /** @throws AppError `model/missing-file` naming the file and what was found. */
  require(name: string): ByteSource;
  /** Names inside the folder. */
  names: string[];
}

const CONFIG = 'config.json';
const slashes = (path: string) => path.split('/').length - 1;

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no file';
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}

/**
 * The folder that holds config.json; of several, the one nearest the top.
 * @throws AppError `model/missing-file` when there is none, `model/invalid` when two folders are as near.
 */
export function findModelFolder(files: ReadonlyMap<string, ByteSource>): ModelFolder {
  const configs = [...files.keys()].filter((path) => path === CONFIG || path.endsWith(`/${CONFIG}`));
  const depth = Math.min(...configs.map(slashes));
  const nearest = configs.filter((path) => slashes(path) === depth);
  const [config] = nearest;
  if (config === undefined) {
    const gguf = [...files.keys()].find((path) => path.toLowerCase().endsWith('.gguf'));
    const advice = gguf === undefined ? '' : `; ${gguf} can be opened by itself, as a file`;
    throw new AppError('model/missing-file', `config.json was expected, ${listed([...files.keys()])} was found${advice}`, {
      expected: CONFIG,
    });
  }
  if (nearest.length > 1) {
    throw new AppError('model/invalid', `one model was expected, ${nearest.length} were found: ${listed(nearest)}`, {
      found: nearest.length,
    });
  }
  const prefix = config.slice(0, -CONFIG.length);
  const names = [...files.keys()].filter((path) => path.startsWith(prefix)).map((path) => path.slice(prefix.length));
  return {
    prefix,
    names,
    find: (name) => files.get(prefix + name),
    require(name) {
      const source = files.get(prefix + name);
      if (source) return source;
      throw new AppError('model/missing-file', `${prefix}${name} was expected, ${listed(names)} was found`, { expected: prefix + name });
    },
  };
}
