/** What a run leaves behind besides its checkpoints: PEFT's two files and trainer_state.json, each whole or not at all. Knows no device. */
import { rename, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#base/errors.ts';
import type { PeftFiles } from '#export/peft-adapter.ts';
import type { FileStore } from '#storage/file-store.ts';

const ADAPTER = 'adapter';
const STATE = 'trainer_state.json';

/** What lies in an output folder besides checkpoints. */
export const RESULTS = [ADAPTER, STATE] as const;

function outputError(folder: string, cause: unknown): AppError {
  const what = cause instanceof Error ? cause.message : String(cause);
  const [code, details] = cause instanceof AppError ? [cause.code, cause.details] : ['storage/failed' as const, { file: folder }];
  return new AppError(code, `--output_path ${folder}: ${what}`, details, cause);
}

/** @throws AppError `storage/failed` when the output can be no folder: told before the work, not after it. */
export async function checkOutput(folder: string): Promise<void> {
  if ((await kindOf(folder)) === 'file') throw outputError(folder, 'a file was found, a folder or nothing was expected');
}

async function kindOf(folder: string): Promise<'folder' | 'file' | 'nothing'> {
  try {
    return (await stat(folder)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'nothing';
    throw outputError(folder, error);
  }
}

/** The output folder of a run, made before the first step, so that a disk that cannot be written is no loss of hours. */
export class OutputFolder {
  readonly path: string;
  readonly #store: FileStore;
  /** Those that had to be made, innermost first. */
  readonly #made: readonly string[];

  private constructor(path: string, store: FileStore, made: readonly string[]) {
    this.path = path;
    this.#store = store;
    this.#made = made;
  }

  /** `store`: the files below `path`. @throws AppError `storage/failed`, `storage/quota` */
  static async create(path: string, store: FileStore): Promise<OutputFolder> {
    const made: string[] = [];
    for (const folder of [join(path, ADAPTER), path]) if ((await kindOf(folder)) === 'nothing') made.push(folder);
    const output = new OutputFolder(path, store, made);
    try {
      // The store makes folders for what it writes.
      const probe = `${ADAPTER}/probe.part`;
      await store.write(probe, [Uint8Array.of(0)]);
      await store.remove(probe);
    } catch (error) {
      await output.discard();
      throw outputError(path, error);
    }
    return output;
  }

  async write(adapter: PeftFiles, state: object): Promise<void> {
    try {
      for (const [name, content] of Object.entries(adapter) as [string, string | Uint8Array][]) {
        await this.#writeWhole(`${ADAPTER}/${name}`, content);
      }
      await this.#writeWhole(STATE, `${JSON.stringify(state, null, 2)}\n`);
    } catch (error) {
      throw outputError(this.path, error);
    }
  }

  /** Writes beside the target first, so that a crash leaves the former file whole. */
  async #writeWhole(name: string, content: string | Uint8Array): Promise<void> {
    const part = `${name}.part`;
    try {
      await this.#store.write(part, [typeof content === 'string' ? new TextEncoder().encode(content) : content]);
    } catch (error) {
      // Why it failed matters more than that what was begun stays.
      await this.#store.remove(part).catch(() => undefined);
      throw error;
    }
    await rename(join(this.path, part), join(this.path, name));
  }

  /** Takes the folders that were made away again, where nothing was written into them. */
  async discard(): Promise<void> {
    for (const folder of this.#made) await rmdir(folder).catch(() => undefined);
  }
}
