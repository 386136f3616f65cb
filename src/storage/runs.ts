/** The runs that are kept: what each is of, its rows, what it measured, its checkpoints. Knows files, not how a run goes. */
import { AppError, invariant } from '#base/errors.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { damagedError, type FileStore, joinPath, quotaError, readWhole, sha256Hex, sizeBelow, splitPath } from '#storage/file-store.ts';
import { type FileDigest, isDigest } from '#storage/manifest.ts';
import { readRunRows, type RunRows, writeRunRows } from '#storage/run-rows.ts';
import { type DamagedFile, damageOf, isCutOff, openSealed, sealJson } from '#storage/sealed-json.ts';
import { readSealedLines, sealLine } from '#storage/sealed-lines.ts';

export const RUN_VERSION = 1;
export const RUNS_FOLDER = 'runs';

export interface StoredRun {
  version: typeof RUN_VERSION;
  id: string;
  name: string;
  /** ISO 8601, as all times here. */
  createdAt: string;
  updatedAt: string;
  state: 'running' | 'paused' | 'stopped' | 'done' | 'failed';
  /** Steps done, as far as was written down. */
  step: number;
  steps: number;
  recipe: Recipe;
  /** `key`: the fingerprint of its files (`modelKey`). */
  model: { name: string; key: string };
  data: { name: string; rows: number };
  note: string;
}

/** What may change of a run. */
export type RunChange = Partial<Omit<StoredRun, 'version' | 'id' | 'createdAt' | 'updatedAt'>>;

/** How a run lies in its file. */
interface RunDocument extends StoredRun {
  /** The larger is the newer. */
  revision: number;
  rowsFile: FileDigest;
}

/** Two copies, written one after the other: whatever tears or spoils one leaves the other. */
const RUN_FILE = 'run.json';
const COPY_FILE = 'run.copy.json';
const ROWS_FILE = 'rows.bin';
const METRICS_FILE = 'metrics.jsonl';
const NEWLINE = 10;

interface Loaded {
  /** The newest whole copy; null when there is none. */
  document: RunDocument | null;
  /** Why it is not: null when the run was never written to its end. */
  error: AppError | null;
  damaged: DamagedFile[];
}

/** The folder `runs` of a store. One writer a run at a time, whose calls wait for one another. */
export class RunStore {
  readonly #store: FileStore;
  /** Runs whose metrics are known to end with a whole line. */
  readonly #endsWhole = new Set<string>();

  constructor(store: FileStore) {
    this.#store = store;
  }

  /**
   * Writes a new run; its rows first, so that a run that is listed has them.
   * @throws AppError `storage/quota`, `storage/failed` also when there is a run of that id.
   */
  async create(run: Omit<StoredRun, 'version' | 'updatedAt'>, rows: RunRows): Promise<StoredRun> {
    const folder = this.#folder(run.id);
    const { document, error } = await this.#load(run.id);
    if (document !== null || error !== null) {
      throw new AppError('storage/failed', `${folder}: there is a run of this name already`, { file: folder });
    }
    await this.#store.remove(folder);
    const bytes = writeRunRows(rows);
    const free = await this.#store.freeBytes();
    if (free !== null && free < bytes.byteLength) throw quotaError(folder, { found: free, expected: bytes.byteLength });
    const rowsFile = { sha256: await sha256Hex(bytes), sizeBytes: bytes.byteLength };
    try {
      await this.#store.write(joinPath(folder, ROWS_FILE), [bytes]);
      return await this.#save({ ...run, version: RUN_VERSION, updatedAt: run.createdAt, rowsFile, revision: 0 });
    } catch (failure) {
      await this.#store.remove(folder).catch(() => {});
      throw failure;
    }
  }

  /** @throws AppError as `get`, `storage/quota`, `storage/failed`; the run is then as it was. */
  async update(id: string, change: RunChange): Promise<StoredRun> {
    const document = await this.#require(id);
    // A run with another name is as old as it was.
    const hasGoneOn = Object.keys(change).some((field) => field !== 'name' && field !== 'note');
    const updatedAt = hasGoneOn ? new Date().toISOString() : document.updatedAt;
    return this.#save({ ...document, ...change, updatedAt, revision: document.revision + 1 });
  }

  /** @throws AppError `storage/not-found`, `storage/damaged` naming the file, `format/unsupported` for a later version. */
  async get(id: string): Promise<StoredRun> {
    return plain(await this.#require(id));
  }

  /**
   * Newest first, and the files that were damaged or come from another version. A run one of whose two copies is damaged is in both: it
   * is whole, and its next update mends the copy.
   */
  async list(): Promise<{ runs: StoredRun[]; damaged: DamagedFile[] }> {
    const runs: StoredRun[] = [];
    const damaged: DamagedFile[] = [];
    for (const { name, kind } of await this.#store.list(RUNS_FOLDER)) {
      if (kind !== 'folder') continue;
      const loaded = await this.#load(name);
      damaged.push(...loaded.damaged);
      if (loaded.document !== null) runs.push(plain(loaded.document));
    }
    const newestFirst = (a: StoredRun, b: StoredRun) => (a.createdAt === b.createdAt ? 0 : a.createdAt < b.createdAt ? 1 : -1);
    return { runs: runs.sort(newestFirst), damaged };
  }

  /** The rows that the run was made with. @throws AppError as `get`, `storage/damaged` when they are not those. */
  async rows(id: string): Promise<RunRows> {
    const { rowsFile } = await this.#require(id);
    const path = joinPath(this.#folder(id), ROWS_FILE);
    const source = await this.#store.open(path);
    if (source.sizeBytes !== rowsFile.sizeBytes) throw damagedError(path, `${source.sizeBytes} bytes`, `${rowsFile.sizeBytes} bytes`);
    const bytes = await source.read(0, source.sizeBytes);
    const found = await sha256Hex(bytes);
    if (found !== rowsFile.sha256) throw damagedError(path, `SHA-256 ${found}`, `SHA-256 ${rowsFile.sha256}`);
    return readRunRows(path, bytes);
  }

  /** Adds a line for each object. A line that a crash tore before is ended first. */
  async appendMetrics(id: string, objects: readonly object[]): Promise<void> {
    if (objects.length === 0) return;
    const path = joinPath(this.#folder(id), METRICS_FILE);
    const lines = (await Promise.all(objects.map(sealLine))).join('');
    const isWhole = this.#endsWhole.has(id) || (await this.#metricsEndWhole(path));
    // Until it is known how this ended, it may have torn a line too.
    this.#endsWhole.delete(id);
    await this.#store.append(path, new TextEncoder().encode(isWhole ? lines : `\n${lines}`));
    this.#endsWhole.add(id);
  }

  /** What was added, in order. Lines that a crash tore are left out; those that were changed since are left out and told. */
  async metrics(id: string): Promise<{ records: object[]; damaged: DamagedFile | null }> {
    const path = joinPath(this.#folder(id), METRICS_FILE);
    const bytes = await readWhole(this.#store, path).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'storage/not-found') return new Uint8Array();
      throw error;
    });
    return readSealedLines(path, bytes);
  }

  checkpoints(id: string): CheckpointFolder {
    return new CheckpointFolder(this.#store, this.#folder(id));
  }

  /** A run with all that is kept of it; a removal that a crash ends leaves no run. */
  async remove(id: string): Promise<void> {
    const folder = this.#folder(id);
    for (const name of [RUN_FILE, COPY_FILE]) await this.#store.remove(joinPath(folder, name));
    await this.#store.remove(folder);
    this.#endsWhole.delete(id);
  }

  /** Of all its files. */
  sizeBytes(id: string): Promise<number> {
    return sizeBelow(this.#store, this.#folder(id));
  }

  #folder(id: string): string {
    invariant(splitPath(id).length === 1, `a run may not be called ${id}`);
    return joinPath(RUNS_FOLDER, id);
  }

  async #save(document: RunDocument): Promise<StoredRun> {
    const bytes = await sealJson(document);
    const folder = this.#folder(document.id);
    await this.#store.write(joinPath(folder, COPY_FILE), [bytes]);
    await this.#store.write(joinPath(folder, RUN_FILE), [bytes]);
    return plain(document);
  }

  async #require(id: string): Promise<RunDocument> {
    const { document, error } = await this.#load(id);
    if (document !== null) return document;
    const folder = this.#folder(id);
    throw error ?? new AppError('storage/not-found', `${folder}: there is no such run`, { file: folder });
  }

  async #load(id: string): Promise<Loaded> {
    const folder = this.#folder(id);
    const names = (await this.#store.list(folder)).map(({ name }) => name);
    const whole: RunDocument[] = [];
    const failures: { error: AppError; isCutOff: boolean }[] = [];
    for (const name of [RUN_FILE, COPY_FILE]) {
      if (!names.includes(name)) continue;
      const path = joinPath(folder, name);
      let bytes = new Uint8Array();
      try {
        bytes = (await readWhole(this.#store, path)) as Uint8Array<ArrayBuffer>;
        whole.push(await parseRun(path, bytes, id));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        failures.push({ error, isCutOff: error.code === 'storage/damaged' && isCutOff(bytes) });
      }
    }
    const damaged = (of: typeof failures) => of.map(({ error }) => damageOf(folder, error));
    const later = failures.find(({ error }) => error.code === 'format/unsupported');
    if (later !== undefined) return { document: null, error: later.error, damaged: damaged(failures) };
    const told = failures.filter((failure) => !failure.isCutOff);
    if (whole.length > 0) {
      return { document: whole.reduce((a, b) => (b.revision > a.revision ? b : a)), error: null, damaged: damaged(told) };
    }
    // The first copy alone, and cut off: a crash while the run was made.
    if (!names.includes(RUN_FILE) && told.length === 0) return { document: null, error: null, damaged: [] };
    return { document: null, error: failures[0].error, damaged: damaged(failures) };
  }

  async #metricsEndWhole(path: string): Promise<boolean> {
    const folder = path.split('/').slice(0, -1).join('/');
    const entry = (await this.#store.list(folder)).find(({ name }) => name === METRICS_FILE);
    if (entry === undefined || entry.sizeBytes === 0) return true;
    const source = await this.#store.open(path);
    return (await source.read(source.sizeBytes - 1, source.sizeBytes))[0] === NEWLINE;
  }
}

/** The run without what its file alone needs. */
function plain(document: RunDocument): StoredRun {
  const run: StoredRun & Partial<RunDocument> = { ...document };
  delete run.revision;
  delete run.rowsFile;
  return run;
}

/** @throws AppError `storage/damaged`, `format/unsupported`. */
async function parseRun(path: string, bytes: Uint8Array, id: string): Promise<RunDocument> {
  const body = (await openSealed(path, bytes, RUN_VERSION)) as unknown as RunDocument;
  if (body.id !== id) throw damagedError(path, `the run ${body.id}`, `the run ${id}`);
  if (!isDigest(body.rowsFile) || !Number.isSafeInteger(body.revision)) throw damagedError(path, 'no digest of the rows', 'one');
  return body;
}
