/** Models and datasets copied into a store, so that they are there without their folder. Knows bytes and hashes, no format. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { damagedError, type FileStore, joinPath, quotaError, sha256Hex, sizeBelow, splitPath } from '#storage/file-store.ts';
import { modelKey } from '#storage/model-key.ts';
import { type DamagedFile, damageOf, isCutOff, openSealed, sealJson } from '#storage/sealed-json.ts';

export const KEPT_VERSION = 1;

/** A chunk is read, hashed and written at a time: so much memory is taken, and so much is lost of the time when it is cancelled. */
const CHUNK_BYTES = 16_777_216;
const MANIFEST_FILE = 'manifest.json';
/** Below it the files lie by their own paths, whatever those are called. */
const FILES_FOLDER = 'files';

/** What is kept, as its manifest says; without one it is not kept. */
export interface KeptFolder {
  version: typeof KEPT_VERSION;
  /** The fingerprint of its files (`modelKey`), and its folder's name. */
  key: string;
  name: string;
  /** ISO 8601. */
  createdAt: string;
  sizeBytes: number;
  chunkBytes: number;
  /** By their paths; the SHA-256 of each chunk. */
  files: Record<string, { sizeBytes: number; chunks: string[] }>;
  /** Where it was fetched from; absent for what was copied from a folder. */
  source?: KeptSource;
}

/** A hub's repository at a commit. */
export interface KeptSource {
  endpoint: string;
  id: string;
  commit: string;
}

export interface CopyOptions {
  onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** The work ends with `run/cancelled` after the chunk that is under way. */
  signal?: AbortSignal;
}

/** The folder `models` or `datasets` of a store: copies by the fingerprint of their files. One writer at a time. */
export class KeptFiles {
  readonly #store: FileStore;
  readonly #part: 'models' | 'datasets';

  constructor(store: FileStore, part: 'models' | 'datasets') {
    this.#store = store;
    this.#part = part;
  }

  /**
   * Copies the files, then writes their manifest. What is kept already under the same key with a whole manifest stays as it is. A copy
   * that fails or is cancelled is removed, if it can be.
   * @throws AppError `storage/quota` before it begins where the free space is known, `run/cancelled`, `storage/failed`, as the files' `read`.
   */
  async add(name: string, files: ReadonlyMap<string, ByteSource>, { onProgress, signal }: CopyOptions = {}): Promise<KeptFolder> {
    const key = await modelKey(files);
    const folder = this.#folder(key);
    for (const path of files.keys()) splitPath(path);
    const { kept, error } = await this.#load(key);
    if (kept !== null) return kept;
    if (error?.code === 'format/unsupported') throw error;
    await this.#store.remove(folder);
    const totalBytes = [...files.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const free = await this.#store.freeBytes();
    if (free !== null && free < totalBytes) throw quotaError(folder, { found: free, expected: totalBytes });

    const copied: [string, KeptFolder['files'][string]][] = [];
    let doneBytes = 0;
    try {
      for (const [path, source] of files) {
        const target = this.pathOf(key, path);
        const chunks: string[] = [];
        await this.#store.write(target, []);
        for (let start = 0; start < source.sizeBytes; start += CHUNK_BYTES) {
          throwIfCancelled(signal, name);
          const bytes = await source.read(start, Math.min(start + CHUNK_BYTES, source.sizeBytes));
          chunks.push(await sha256Hex(bytes));
          await this.#store.append(target, bytes);
          doneBytes += bytes.byteLength;
          onProgress?.({ doneBytes, totalBytes });
        }
        copied.push([path, { sizeBytes: source.sizeBytes, chunks }]);
      }
      throwIfCancelled(signal, name);
      return await this.adopt({ key, name, files: Object.fromEntries(copied) });
    } catch (failure) {
      await this.remove(key).catch(() => {});
      throw failure;
    }
  }

  /** Keeps files that lie below `pathOf` already, by writing their manifest; `chunks`: as `chunkHashes` gives them. @throws AppError `storage/*` */
  async adopt({ key, name, files, source }: Pick<KeptFolder, 'key' | 'name' | 'files' | 'source'>): Promise<KeptFolder> {
    const sizeBytes = Object.values(files).reduce((sum, file) => sum + file.sizeBytes, 0);
    const createdAt = new Date().toISOString();
    const kept: KeptFolder = { version: KEPT_VERSION, key, name, createdAt, sizeBytes, chunkBytes: CHUNK_BYTES, files };
    if (source) kept.source = source;
    await this.#store.write(joinPath(this.#folder(key), MANIFEST_FILE), [await sealJson(kept)]);
    return kept;
  }

  /** Newest first, and the manifests that are damaged or of another version. The files are not looked at: `open` and `verify` do. */
  async list(): Promise<{ kept: KeptFolder[]; damaged: DamagedFile[] }> {
    const kept: KeptFolder[] = [];
    const damaged: DamagedFile[] = [];
    for (const { name, kind } of await this.#store.list(this.#part)) {
      if (kind !== 'folder') continue;
      const loaded = await this.#load(name);
      if (loaded.kept !== null) kept.push(loaded.kept);
      else if (loaded.error !== null) damaged.push(damageOf(joinPath(this.#folder(name), MANIFEST_FILE), loaded.error));
    }
    const newestFirst = (a: KeptFolder, b: KeptFolder) => (a.createdAt === b.createdAt ? 0 : a.createdAt < b.createdAt ? 1 : -1);
    return { kept: kept.sort(newestFirst), damaged };
  }

  /** @throws AppError `storage/not-found`, `storage/damaged`, `format/unsupported`. */
  async get(key: string): Promise<KeptFolder> {
    const { kept, error } = await this.#load(key);
    if (kept !== null) return kept;
    const folder = this.#folder(key);
    throw error ?? new AppError('storage/not-found', `${folder}: nothing is kept here`, { file: folder });
  }

  /** The files by their paths; sizes are checked, hashes by `verify` alone. @throws AppError as `get`, `storage/damaged` naming the file. */
  async open(key: string): Promise<Map<string, ByteSource>> {
    const { files } = await this.get(key);
    const sources = new Map<string, ByteSource>();
    for (const [path, { sizeBytes }] of Object.entries(files)) sources.set(path, await this.#openFile(this.pathOf(key, path), sizeBytes));
    return sources;
  }

  /** Every file whose bytes are not those that were copied, with its first chunk that is not. @throws AppError as `get`, `run/cancelled`. */
  async verify(key: string, { onProgress, signal }: CopyOptions = {}): Promise<DamagedFile[]> {
    const { name, files, chunkBytes, sizeBytes: totalBytes } = await this.get(key);
    const damaged: DamagedFile[] = [];
    let doneBytes = 0;
    for (const [path, { sizeBytes, chunks }] of Object.entries(files)) {
      const stored = this.pathOf(key, path);
      try {
        const source = await this.#openFile(stored, sizeBytes);
        for (const [i, expected] of chunks.entries()) {
          throwIfCancelled(signal, name);
          const [start, end] = [i * chunkBytes, Math.min((i + 1) * chunkBytes, sizeBytes)];
          const found = await sha256Hex(await source.read(start, end));
          if (found !== expected) throw damagedError(stored, `SHA-256 ${found} of bytes ${start} to ${end}`, expected);
          onProgress?.({ doneBytes: doneBytes + end, totalBytes });
        }
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'run/cancelled') throw error;
        damaged.push(damageOf(stored, error));
      }
      doneBytes += sizeBytes;
    }
    return damaged;
  }

  /** Where a file of it lies in the store. */
  pathOf(key: string, path: string): string {
    return `${this.#folder(key)}/${FILES_FOLDER}/${path}`;
  }

  /** The manifest first: a removal that a crash ends leaves nothing that is kept. */
  async remove(key: string): Promise<void> {
    await this.#store.remove(joinPath(this.#folder(key), MANIFEST_FILE));
    await this.#store.remove(this.#folder(key));
  }

  /** Of all its files, the manifest's included. */
  sizeBytes(key: string): Promise<number> {
    return sizeBelow(this.#store, this.#folder(key));
  }

  #folder(key: string): string {
    if (splitPath(key).length > 1) throw new AppError('internal', `what is kept may not be called ${key}`);
    return joinPath(this.#part, key);
  }

  /** Neither when a copy was never finished. */
  async #load(key: string): Promise<{ kept: KeptFolder | null; error: AppError | null }> {
    const path = joinPath(this.#folder(key), MANIFEST_FILE);
    if (!(await this.#store.list(this.#folder(key))).some(({ name }) => name === MANIFEST_FILE)) return { kept: null, error: null };
    try {
      const source = await this.#store.open(path);
      const bytes = await source.read(0, source.sizeBytes);
      if (isCutOff(bytes)) return { kept: null, error: null };
      const kept = (await openSealed(path, bytes, KEPT_VERSION)) as unknown as KeptFolder;
      if (kept.key !== key) throw damagedError(path, `the key ${kept.key}`, `the key ${key}`);
      return { kept, error: null };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { kept: null, error };
    }
  }

  async #openFile(path: string, sizeBytes: number): Promise<ByteSource> {
    const source = await this.#store.open(path).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'storage/not-found') throw damagedError(path, 'no file', `${sizeBytes} bytes`);
      throw error;
    });
    if (source.sizeBytes !== sizeBytes) throw damagedError(path, `${source.sizeBytes} bytes`, `${sizeBytes} bytes`);
    return source;
  }
}

/** The SHA-256 of each chunk of a file, as a manifest has them. `onChunk` sees the bytes, and ends it by throwing. */
export async function chunkHashes(source: ByteSource, onChunk: (bytes: Uint8Array) => void): Promise<string[]> {
  const hashes: string[] = [];
  for (let start = 0; start < source.sizeBytes; start += CHUNK_BYTES) {
    const bytes = await source.read(start, Math.min(start + CHUNK_BYTES, source.sizeBytes));
    onChunk(bytes);
    hashes.push(await sha256Hex(bytes));
  }
  return hashes;
}

function throwIfCancelled(signal: AbortSignal | undefined, name: string): void {
  if (signal?.aborted === true) throw new AppError('run/cancelled', `${name}: the work on its copy was cancelled`);
}
