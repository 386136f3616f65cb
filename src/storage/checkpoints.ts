/** A run's checkpoints: written so that a crash at any byte leaves the former ones whole. Knows files and hashes, not what is in them. */
import { AppError, invariant } from '#base/errors.ts';
import {
  damagedError,
  type FileStore,
  joinPath,
  quotaError,
  readWhole,
  sha256Hex,
  splitPath,
  type StoredEntry,
  totalSize,
} from '#storage/file-store.ts';
import { MANIFEST, type Manifest, parseManifest, writeManifest } from '#storage/manifest.ts';
import { damageOf, isCutOff, isDamage } from '#storage/sealed-json.ts';

/** A checkpoint's files by their names. */
export type CheckpointFiles = Record<string, Uint8Array>;

export interface CheckpointEntry {
  step: number;
  /** The folder, from the store's root. */
  path: string;
  /** Of all its files, the manifest's included. */
  sizeBytes: number;
}

/** A checkpoint that may not be used, and why. */
export interface DamagedCheckpoint {
  step: number;
  path: string;
  /** The name of the file inside the checkpoint. */
  file: string;
  found: string;
  expected: string;
}

export type LatestCheckpoint =
  | { step: number; files: CheckpointFiles; damaged: DamagedCheckpoint[] }
  | { step: null; files: null; damaged: DamagedCheckpoint[] };

/** A folder named as a checkpoint's is. */
interface Found extends CheckpointEntry {
  entries: StoredEntry[];
}

/** File systems give space in blocks: what a file may take beyond its bytes. */
const BLOCK_BYTES = 4096;

/**
 * The checkpoints below one folder of a store, each a folder with its files and, written last, `manifest.json` with their sizes and
 * hashes. Without a whole manifest there is no checkpoint. One writer at a time.
 */
export class CheckpointFolder {
  readonly #store: FileStore;
  readonly #folder: string;
  readonly #nameOf: (step: number) => string;

  /** `nameOf`: a checkpoint's path in `folder`, ending in its step; transformers' is `checkpoint-<step>`. */
  constructor(store: FileStore, folder: string, nameOf: (step: number) => string = (step) => `checkpoints/${step}`) {
    this.#store = store;
    this.#folder = folder;
    this.#nameOf = nameOf;
  }

  /**
   * Writes the files, then the manifest. What a torn write of that step left is removed first; a whole checkpoint of that step that holds
   * the same bytes stays as it is, and one that holds others is replaced. A write that fails removes what it wrote, if it can.
   * @throws AppError `storage/quota` with the bytes found and expected, before it begins where the free space is known; `storage/failed`.
   */
  async write(step: number, files: CheckpointFiles): Promise<CheckpointEntry> {
    invariant(Number.isSafeInteger(step) && step >= 0, `a checkpoint of step ${step}`);
    const names = Object.keys(files).sort();
    for (const name of names) {
      if (splitPath(name).length > 1 || name === MANIFEST) throw new AppError('internal', `a checkpoint's file may not be called ${name}`);
    }
    const path = this.#pathOf(step);
    const digests = Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, { sizeBytes: files[name].byteLength, sha256: await sha256Hex(files[name]) }] as const),
      ),
    );
    const manifest = await writeManifest(step, digests);
    const entry = { step, path, sizeBytes: totalSize(Object.values(files)) + manifest.byteLength };

    const existing = (await this.#find()).find((found) => found.step === step);
    if (existing !== undefined) {
      if (await this.#holds(existing, manifest)) return entry;
      await this.#clear(existing, names);
    }
    await this.#refuseWithoutSpace(path, entry.sizeBytes + BLOCK_BYTES * (names.length + 1));
    try {
      for (const name of names) await this.#store.write(joinPath(path, name), [files[name]]);
      await this.#store.write(joinPath(path, MANIFEST), [manifest]);
    } catch (error) {
      // Why it failed matters more than that the rest could not be removed either: the next write of this step or `prune` removes it.
      await this.#remove(path).catch(() => {});
      throw error;
    }
    return entry;
  }

  /** Those with a manifest, ascending by step; their files are not looked at. */
  async list(): Promise<CheckpointEntry[]> {
    return (await this.#complete()).map(({ step, path, sizeBytes }) => ({ step, path, sizeBytes }));
  }

  /**
   * The files of one checkpoint, after their sizes and hashes were checked.
   * @throws AppError `storage/damaged` naming the file, what was found and what was expected; `storage/not-found` when there is no such
   * checkpoint; `format/unsupported` for one of a later version; `storage/failed` when it cannot be read.
   */
  async read(step: number): Promise<CheckpointFiles> {
    const found = (await this.#complete()).find((entry) => entry.step === step);
    if (found === undefined) {
      const path = this.#pathOf(step);
      throw new AppError('storage/not-found', `${path}: there is no checkpoint of step ${step}`, { file: path, expected: step });
    }
    return this.#read(found);
  }

  /**
   * The newest checkpoint that is whole, and those that were passed over on the way to it, newest first.
   * @throws AppError `storage/failed` when the store cannot be listed, or when nothing whole is left and something could not be read:
   * it may be readable another time.
   */
  async latest(): Promise<LatestCheckpoint> {
    const damaged: DamagedCheckpoint[] = [];
    let unreadable: AppError | null = null;
    for (const found of (await this.#complete()).reverse()) {
      try {
        return { step: found.step, files: await this.#read(found), damaged };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (error.code === 'storage/failed') unreadable = error;
        damaged.push(describeDamage(found, error));
      }
    }
    if (unreadable !== null) throw unreadable;
    return { step: null, files: null, damaged };
  }

  /**
   * Deletes the oldest beyond `limit` (null: all stay), never a step of `keep`, and what torn writes left. A checkpoint whose manifest is
   * damaged does not count. A folder without a manifest is left alone when it has files that no checkpoint here has: others write such
   * folders too.
   */
  async prune(limit: number | null, keep: readonly number[]): Promise<void> {
    const [all, complete] = [await this.#find(), await this.#complete()];
    const own = new Set(complete.flatMap(({ entries }) => entries.map(({ name }) => name)));
    own.add(MANIFEST);
    for (const found of all) {
      const isTorn = !complete.some(({ step }) => step === found.step);
      if (isTorn && found.entries.every(({ name }) => own.has(name))) await this.#remove(found.path);
    }
    if (limit === null) return;
    const states = new Map(await Promise.all(complete.map(async (found) => [found.step, await this.#manifestState(found)] as const)));
    const good = complete.filter(({ step }) => states.get(step) === 'good');
    const kept = new Set([...good.slice(Math.max(0, good.length - limit)).map(({ step }) => step), ...keep]);
    for (const { step, path } of complete) {
      if (!kept.has(step) && states.get(step) !== 'unknown') await this.#remove(path);
    }
  }

  #pathOf(step: number): string {
    return joinPath(this.#folder, this.#nameOf(step));
  }

  /** Every folder that is named as a checkpoint's, ascending by step. */
  async #find(): Promise<Found[]> {
    const parent = this.#pathOf(0).split('/').slice(0, -1).join('/');
    const found: Found[] = [];
    for (const { name, kind } of await this.#store.list(parent)) {
      const step = Number(/\d+$/.exec(name)?.[0]);
      const path = joinPath(parent, name);
      if (kind !== 'folder' || !Number.isSafeInteger(step) || this.#pathOf(step) !== path) continue;
      const entries = await this.#store.list(path);
      found.push({ step, path, entries, sizeBytes: entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) });
    }
    return found.sort((a, b) => a.step - b.step);
  }

  /** Those whose manifest was written to its end. */
  async #complete(): Promise<Found[]> {
    const complete: Found[] = [];
    for (const found of await this.#find()) if (!(await this.#isTorn(found))) complete.push(found);
    return complete;
  }

  /** A manifest that a crash cut off is none; one that was written whole and spoilt since is damage that must be told. */
  async #isTorn(found: Found): Promise<boolean> {
    if (!found.entries.some(({ name, kind }) => name === MANIFEST && kind === 'file')) return true;
    try {
      return isCutOff(await readWhole(this.#store, joinPath(found.path, MANIFEST)));
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  async #manifestOf(found: Found): Promise<Manifest> {
    const path = joinPath(found.path, MANIFEST);
    const manifest = await parseManifest(path, await readWhole(this.#store, path));
    if (manifest.step !== found.step) throw damagedError(path, `step ${manifest.step}`, `step ${found.step}`);
    return manifest;
  }

  /** `unknown`: of a later version, or not to be read now; such a one is never deleted. */
  async #manifestState(found: Found): Promise<'good' | 'bad' | 'unknown'> {
    try {
      await this.#manifestOf(found);
      return 'good';
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return isDamage(error) ? 'bad' : 'unknown';
    }
  }

  async #read(found: Found): Promise<CheckpointFiles> {
    const manifest = await this.#manifestOf(found);
    const files: CheckpointFiles = {};
    for (const [name, { sizeBytes, sha256 }] of Object.entries(manifest.files)) {
      const path = joinPath(found.path, name);
      const stored = found.entries.find((entry) => entry.name === name && entry.kind === 'file');
      if (stored === undefined) throw damagedError(path, 'no file', `${sizeBytes} bytes`);
      if (stored.sizeBytes !== sizeBytes) throw damagedError(path, `${stored.sizeBytes} bytes`, `${sizeBytes} bytes`);
      const bytes = await readWhole(this.#store, path);
      const hash = await sha256Hex(bytes);
      if (hash !== sha256) throw damagedError(path, `SHA-256 ${hash}`, `SHA-256 ${sha256}`);
      files[name] = bytes;
    }
    return files;
  }

  /** Whether a checkpoint has this manifest, and its files are as it says. */
  async #holds(found: Found, manifest: Uint8Array): Promise<boolean> {
    if (await this.#isTorn(found)) return false;
    try {
      await this.#read(found);
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    }
    const stored = await readWhole(this.#store, joinPath(found.path, MANIFEST));
    return stored.byteLength === manifest.byteLength && stored.every((byte, i) => byte === manifest[i]);
  }

  /** Makes room for a checkpoint of the same step. @throws AppError `storage/failed` when others' files are in the way. */
  async #clear(found: Found, names: readonly string[]): Promise<void> {
    const foreign = found.entries.find(({ name, kind }) => kind === 'folder' || (name !== MANIFEST && !names.includes(name)));
    const hasManifest = found.entries.some(({ name }) => name === MANIFEST);
    if (foreign !== undefined && !hasManifest) {
      const message = `${found.path}: ${foreign.name} was found, which this run did not write; move the folder away`;
      throw new AppError('storage/failed', message, { file: found.path, found: foreign.name });
    }
    await this.#remove(found.path);
  }

  /** The manifest first: a removal that a crash ends leaves no checkpoint rather than a damaged one. */
  async #remove(path: string): Promise<void> {
    await this.#store.remove(joinPath(path, MANIFEST));
    await this.#store.remove(path);
  }

  async #refuseWithoutSpace(path: string, expected: number): Promise<void> {
    const found = await this.#store.freeBytes();
    if (found !== null && found < expected) throw quotaError(path, { found, expected });
  }
}

function describeDamage({ step, path }: CheckpointEntry, error: AppError): DamagedCheckpoint {
  const { path: file, found, expected } = damageOf(path, error);
  return { step, path, file: file.split('/').at(-1) ?? file, found, expected };
}
