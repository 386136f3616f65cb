/** Fetches a model of a hub into a store, so that it is kept like any other; goes on from where it broke off. Knows no format. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { damagedError, type FileStore, joinPath, quotaError, readWhole } from '#storage/file-store.ts';
import type { Hub, HubFile, HubModel } from '#storage/hub.ts';
import { throwIfCancelled } from '#storage/hub-requests.ts';
import { openFromHub } from '#storage/hub-source.ts';
import { modelKey } from '#storage/model-key.ts';
import { chunkHashes, KeptFiles, type KeptFolder, type KeptSource } from '#storage/models.ts';
import { openSealed, sealJson } from '#storage/sealed-json.ts';

export interface DownloadOptions {
  onProgress?: (progress: { doneBytes: number; totalBytes: number }) => void;
  /** Ends it with `run/cancelled`; what came stays, and the next download goes on from there. */
  signal?: AbortSignal;
}

/** A model that was not fetched to its end. */
export interface PartialDownload {
  /** As the finished model's, and the name of its folder. */
  key: string;
  source: KeptSource;
  name: string;
  doneBytes: number;
  totalBytes: number;
}

/** What lies beside the files until they are whole. */
interface Sidecar {
  version: typeof SIDECAR_VERSION;
  key: string;
  name: string;
  source: KeptSource;
  files: HubFile[];
}

const MODELS = 'models';
const SIDECAR = 'download.json';
const SIDECAR_VERSION = 1;
/** Bytes that a crash loses at the most of each file: each write is flushed. */
const WRITE_BYTES = 8_388_608;
const FILES_AT_A_TIME = 3;
/** A file's ends are read of it before it is fetched. */
const EDGE_BLOCK_BYTES = 131_072;
/** Connections that may break one after another without a byte in between. */
const BREAKS = 5;
/** Git keeps larger files in LFS. */
const MAX_BLOB_BYTES = 67_108_864;

export class HubDownloads {
  readonly #store: FileStore;
  readonly #kept: KeptFiles;

  constructor(store: FileStore) {
    this.#store = store;
    this.#kept = new KeptFiles(store, MODELS);
  }

  /**
   * Fetches `files` of a model at its commit, checks them against the hub's hashes and keeps them under the model's name. What is kept
   * already is not fetched, nor what an earlier download left.
   * @throws AppError `storage/quota` before it begins where the free space is known; `storage/damaged` for bytes that twice were not
   * those of the hub; `run/cancelled`, `hub/*`, `storage/failed`. What came stays, but for the damaged.
   */
  async fetch(hub: Hub, model: HubModel, files: readonly HubFile[], options: DownloadOptions = {}): Promise<KeptFolder> {
    const source = { endpoint: model.endpoint, id: model.id, commit: model.commit };
    const left = (await this.#sidecars()).find((each) => isSameRepository(each.source, source) && haveSameFiles(each.files, files));
    const same = await this.find(source, files);
    if (same) return same;
    const key = left?.key ?? (await keyOf(hub, source, files, options.signal));
    const known = left ? null : await this.#findByBytes(key, files, options.signal);
    if (known) return known;
    // What lies there and is not gone on with is of other bytes, or of none that can be told.
    if (!left) await this.#kept.remove(key);
    const name = files.length === 1 ? `${source.id}/${files[0].path}` : source.id;
    const sidecar: Sidecar = { version: SIDECAR_VERSION, key, name, source, files: [...files] };
    const sizes = await this.#sizes(sidecar);
    const totalBytes = sum(files.map(({ sizeBytes }) => sizeBytes));
    const needed = totalBytes - sum([...sizes.values()]);
    const free = await this.#store.freeBytes();
    if (free !== null && free < needed) throw quotaError(joinPath(MODELS, key), { found: free, expected: needed });
    if (left?.source.commit !== source.commit) await this.#store.write(this.#sidecarPath(key), [await sealJson(sidecar)]);

    let reported = -1;
    const report = () => {
      const doneBytes = sum([...sizes.values()]);
      if (doneBytes !== reported) options.onProgress?.({ doneBytes, totalBytes });
      reported = doneBytes;
    };
    report();
    const fetched = new Map<string, string[]>();
    await eachOf(files, FILES_AT_A_TIME, options.signal, async (file, signal) => {
      const onSize = (size: number) => {
        sizes.set(file.path, size);
        report();
      };
      fetched.set(file.path, await this.#fetchFile(hub, sidecar, file, onSize, signal));
    });
    const entries = files.map(({ path, sizeBytes }) => [path, { sizeBytes, chunks: fetched.get(path) ?? [] }] as const);
    const kept = await this.#kept.adopt({ key, name, files: Object.fromEntries(entries), source });
    await this.#store.remove(this.#sidecarPath(key));
    return kept;
  }

  /** What is kept of a repository at a commit with these files; null: nothing. */
  async find(source: KeptSource, files: readonly HubFile[]): Promise<KeptFolder | null> {
    const { kept } = await this.#kept.list();
    const hasAll = (folder: KeptFolder) =>
      Object.keys(folder.files).length === files.length &&
      files.every(({ path, sizeBytes }) => folder.files[path]?.sizeBytes === sizeBytes);
    return (
      kept.find(
        (folder) => folder.source && isSameRepository(folder.source, source) && folder.source.commit === source.commit && hasAll(folder),
      ) ?? null
    );
  }

  /** The same files under another commit, or copied from a folder, are not fetched again. What has their fingerprint alone is not theirs. */
  async #findByBytes(key: string, files: readonly HubFile[], signal?: AbortSignal): Promise<KeptFolder | null> {
    const kept = (await this.#kept.list()).kept.find((folder) => folder.key === key);
    if (!kept) return null;
    try {
      const sources = await this.#kept.open(key);
      for (const file of files) await checkFile(sources.get(file.path) as ByteSource, this.#kept.pathOf(key, file.path), file, signal);
      return kept;
    } catch (error) {
      if (error instanceof AppError && error.code === 'storage/damaged') return null;
      throw error;
    }
  }

  /** What was begun and not ended. `KeptFiles.remove` with its key drops it. */
  async unfinished(): Promise<PartialDownload[]> {
    const found: PartialDownload[] = [];
    for (const sidecar of await this.#sidecars()) {
      const { key, name, source, files } = sidecar;
      const doneBytes = sum([...(await this.#sizes(sidecar)).values()]);
      found.push({ key, name, source, doneBytes, totalBytes: sum(files.map(({ sizeBytes }) => sizeBytes)) });
    }
    return found;
  }

  /** The hashes of the chunks of a file that is as the hub has it. */
  async #fetchFile(
    hub: Hub,
    { key, source }: Sidecar,
    file: HubFile,
    onSize: (sizeBytes: number) => void,
    signal?: AbortSignal,
  ): Promise<string[]> {
    const target = this.#kept.pathOf(key, file.path);
    for (let isRetry = false; ; isRetry = true) {
      await this.#fetchBytes(hub, source, file, target, onSize, signal);
      try {
        return await checkFile(await this.#store.open(target), target, file, signal);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'storage/damaged') throw error;
        await this.#store.remove(target);
        onSize(0);
        if (isRetry) throw error;
      }
    }
  }

  async #fetchBytes(
    hub: Hub,
    { id, commit }: KeptSource,
    file: HubFile,
    target: string,
    onSize: (sizeBytes: number) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    let size = await this.#sizeOf(target);
    // What has no hash could be of other bytes, and one would never know.
    if (size === null || size > file.sizeBytes || (size < file.sizeBytes && file.sha256 === null && file.blobId === null)) {
      await this.#store.write(target, []);
      size = 0;
    }
    onSize(size);
    let waiting: Uint8Array[] = [];
    let waitingBytes = 0;
    const flush = async () => {
      if (waitingBytes === 0) return;
      const whole = joined(waiting, waitingBytes);
      [waiting, waitingBytes] = [[], 0];
      await this.#store.append(target, whole);
      size = (size ?? 0) + whole.byteLength;
      onSize(size);
    };
    const ref = { kind: 'model', id, revision: commit, path: file.path } as const;
    for (let breaks = 0; size < file.sizeBytes;) {
      const before: number = size;
      try {
        for await (const { bytes, first } of hub.stream(ref, size, file.sizeBytes, signal)) {
          // A server that knows no ranges sends what is here already once more.
          const isKnown = size + waitingBytes - first;
          const fresh = bytes.subarray(Math.min(bytes.byteLength, Math.max(0, isKnown)));
          if (fresh.byteLength === 0) continue;
          waiting.push(fresh);
          waitingBytes += fresh.byteLength;
          if (waitingBytes >= WRITE_BYTES) await flush();
          else onSize(size + waitingBytes);
        }
        await flush();
      } catch (error) {
        if (!(error instanceof AppError) || error.code.startsWith('storage/')) throw error;
        await flush();
        breaks = size > before ? 1 : breaks + 1;
        if (error.code !== 'hub/offline' || breaks >= BREAKS) throw error;
        await hub.requests.backOff(breaks - 1, signal);
      }
    }
  }

  async #sidecars(): Promise<Sidecar[]> {
    const found: Sidecar[] = [];
    for (const { name, kind } of await this.#store.list(MODELS)) {
      if (kind !== 'folder') continue;
      if (!(await this.#store.list(joinPath(MODELS, name))).some((entry) => entry.name === SIDECAR)) continue;
      try {
        const bytes = await readWhole(this.#store, this.#sidecarPath(name));
        const sidecar = (await openSealed(this.#sidecarPath(name), bytes, SIDECAR_VERSION)) as unknown as Sidecar;
        if (sidecar.key === name && !(await this.#isKept(name))) found.push(sidecar);
      } catch (error) {
        // Torn or of another version: nothing can be gone on with, and `remove` takes it away.
        if (!(error instanceof AppError)) throw error;
      }
    }
    return found;
  }

  async #isKept(key: string): Promise<boolean> {
    return (await this.#kept.list()).kept.some((folder) => folder.key === key);
  }

  async #sizes({ key, files }: Sidecar): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const { path, sizeBytes } of files) sizes.set(path, Math.min(sizeBytes, (await this.#sizeOf(this.#kept.pathOf(key, path))) ?? 0));
    return sizes;
  }

  async #sizeOf(path: string): Promise<number | null> {
    const at = path.lastIndexOf('/');
    const entry = (await this.#store.list(path.slice(0, at))).find(({ name }) => name === path.slice(at + 1));
    return entry?.kind === 'file' ? entry.sizeBytes : null;
  }

  #sidecarPath(key: string): string {
    return `${MODELS}/${key}/${SIDECAR}`;
  }
}

/** The key is a fingerprint of the files' ends, which are read by range: so their folder is known before they are fetched. */
function keyOf(hub: Hub, { id, commit }: KeptSource, files: readonly HubFile[], signal?: AbortSignal): Promise<string> {
  return modelKey(openFromHub(hub, { kind: 'model', id, revision: commit }, files, { signal, blockBytes: EDGE_BLOCK_BYTES }));
}

/** @returns the SHA-256 of each chunk @throws AppError `storage/damaged` where the bytes are not those that the hub has */
async function checkFile(source: ByteSource, path: string, file: HubFile, signal?: AbortSignal): Promise<string[]> {
  const whole = file.sha256 === null ? null : sha256.create();
  const chunks = await chunkHashes(source, (bytes) => {
    throwIfCancelled(signal, { id: path });
    whole?.update(bytes);
  });
  if (source.sizeBytes !== file.sizeBytes) throw damagedError(path, `${source.sizeBytes} bytes`, `${file.sizeBytes} bytes`);
  if (whole !== null && file.sha256 !== null) {
    const found = bytesToHex(whole.digest());
    if (found !== file.sha256) throw damagedError(path, `SHA-256 ${found}`, `${file.sha256}, as the hub has it`);
  } else if (file.blobId !== null && file.sizeBytes <= MAX_BLOB_BYTES) {
    const found = await gitBlobId(await source.read(0, source.sizeBytes));
    if (found !== file.blobId) throw damagedError(path, `the blob ${found}`, `${file.blobId}, as the hub has it`);
  }
  return chunks;
}

/** Git's name of a file. @source https://git-scm.com/book/en/v2/Git-Internals-Git-Objects */
export async function gitBlobId(bytes: Uint8Array): Promise<string> {
  const header = new TextEncoder().encode(`blob ${bytes.byteLength}\0`);
  const digest = await crypto.subtle.digest('SHA-1', joined([header, bytes], header.byteLength + bytes.byteLength));
  return bytesToHex(new Uint8Array(digest));
}

/** So many at a time; the first failure ends the others, and is thrown once they have ended. */
async function eachOf<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  let failure: { error: unknown } | null = null;
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) {
      if (failure !== null) return;
      try {
        await work(item, stop.signal);
      } catch (error) {
        failure ??= { error };
        abort();
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  signal?.removeEventListener('abort', abort);
  if (failure !== null) throw (failure as { error: unknown }).error;
}

function isSameRepository(a: KeptSource, b: KeptSource): boolean {
  return a.endpoint === b.endpoint && a.id === b.id;
}

function haveSameFiles(a: readonly HubFile[], b: readonly HubFile[]): boolean {
  const lines = (files: readonly HubFile[]) =>
    files.map(({ path, sizeBytes, sha256, blobId }) => `${path}\n${sizeBytes}\n${sha256}\n${blobId}`).sort();
  return lines(a).join('\n') === lines(b).join('\n');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
