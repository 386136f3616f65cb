/** What a run leaves behind besides its checkpoints: PEFT's two files and trainer_state.json, each whole or not at all. Knows no device. */
import { mkdir, rename, rmdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import type { PeftFiles } from '#export/peft-adapter.ts';

function outputError(folder: string, what: string, cause?: unknown): AppError {
  return new AppError('storage/failed', `--output_path ${folder}: ${what}`, { file: folder }, cause);
}

const causeText = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** @throws AppError `storage/failed` when the output can be no folder: told before the work, not after it. */
export async function checkOutput(folder: string): Promise<void> {
  const status = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw outputError(folder, causeText(error), error);
  });
  if (status && !status.isDirectory()) throw outputError(folder, 'a file was found, a folder or nothing was expected');
}

/** The output folder of a run, made before the first step, so that a disk that cannot be written is no loss of hours. */
export class OutputFolder {
  readonly path: string;
  readonly #adapter: string;
  /** The outermost folder that had to be made. */
  readonly #made: string | undefined;

  private constructor(path: string, made: string | undefined) {
    this.path = path;
    this.#adapter = join(path, 'adapter');
    this.#made = made;
  }

  /** @throws AppError `storage/failed` */
  static async create(path: string): Promise<OutputFolder> {
    const made = await mkdir(join(path, 'adapter'), { recursive: true }).catch((error: unknown) => {
      throw outputError(path, causeText(error), error);
    });
    return new OutputFolder(path, made);
  }

  async write(adapter: PeftFiles, state: object): Promise<void> {
    try {
      for (const [name, content] of Object.entries(adapter) as [string, string | Uint8Array][]) {
        await writeWhole(join(this.#adapter, name), content);
      }
      await writeWhole(join(this.path, 'trainer_state.json'), `${JSON.stringify(state, null, 2)}\n`);
    } catch (error) {
      throw outputError(this.path, causeText(error), error);
    }
  }

  /** Takes the folders that were made away again, where nothing was written into them. */
  async discard(): Promise<void> {
    if (this.#made === undefined) return;
    const folders = resolve(this.#made) === resolve(this.#adapter) ? [this.#adapter] : [this.#adapter, this.path];
    for (const folder of folders) await rmdir(folder).catch(() => undefined);
  }
}

/** Writes beside the target first, so that a crash leaves the former file whole. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}
