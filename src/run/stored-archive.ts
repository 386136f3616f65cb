/** What a session keeps in a file store: its runs, the models that were copied, and how large all of it is. */
import { AppError } from '#base/errors.ts';
import type {
  DamagedFile,
  KeptModel,
  NamedFile,
  RunHistory,
  RunSummary,
  StartParams,
  StoragePart,
  StorageReport,
} from '#protocol/trainer.ts';
import type { Archive, ArchivedRun, OpenedRun } from '#run/archive.ts';
import type { ModelSource } from '#run/device-host.ts';
import { KeptRun, historyOf } from '#run/kept-run.ts';
import type { FileStore } from '#storage/file-store.ts';
import { KeptFiles, type KeptFolder } from '#storage/models.ts';
import { RunStore, type StoredRun } from '#storage/runs.ts';
import { emptyPart, readUsage } from '#storage/usage.ts';

export type BlobOf = (path: string) => Promise<Blob>;

const MOST_CHARACTERS = { name: 200, note: 10_000 };

export class StoredArchive implements Archive {
  readonly #store: FileStore;
  readonly #runs: RunStore;
  readonly #models: KeptFiles;
  readonly #blobOf: BlobOf;
  /** Who writes to a run since it was made or opened here: a run has one writer at a time. */
  readonly #writers = new Map<string, KeptRun>();

  /** `blobOf`: a file of the store as the browser has it, to be handed to another worker. */
  constructor(store: FileStore, blobOf: BlobOf) {
    this.#store = store;
    this.#blobOf = blobOf;
    this.#runs = new RunStore(store);
    this.#models = new KeptFiles(store, 'models');
  }

  async create(params: StartParams & { modelName: string; modelKey: string; steps: number }): Promise<ArchivedRun> {
    const { recipe, rows, validation, heldOut, dataName, modelName, modelKey, steps } = params;
    const createdAt = new Date().toISOString();
    const id = `${createdAt.replace(/[^\d]/g, '').slice(0, 14)}-${crypto.randomUUID().slice(0, 8)}`;
    const run: Omit<StoredRun, 'version' | 'updatedAt'> = {
      id,
      name: `${modelName}, ${dataName}`,
      createdAt,
      state: 'running',
      step: 0,
      steps,
      recipe,
      model: { name: modelName, key: modelKey },
      data: { name: dataName, rows: rows.offsets.length - 1 },
      note: '',
    };
    await this.#runs.create(run, { train: rows, validation, heldOut });
    return this.#writer(id);
  }

  async list(): Promise<{ runs: RunSummary[]; damaged: DamagedFile[] }> {
    const { runs, damaged } = await this.#runs.list();
    const summaries: RunSummary[] = [];
    for (const run of runs) summaries.push(await this.#summary(run));
    return { runs: summaries, damaged };
  }

  async open(runId: string): Promise<OpenedRun> {
    const run = await this.#runs.get(runId);
    const rows = await this.#runs.rows(runId);
    const { step, files, damaged } = await this.#runs.checkpoints(runId).latest();
    return {
      summary: await this.#summary(run),
      rows,
      kept: this.#writer(runId),
      latest: { step, files },
      damaged: damaged.map(({ path, file, found, expected }) => ({ path: `${path}/${file}`, found, expected })),
    };
  }

  async history(runId: string): Promise<RunHistory> {
    const { records, damaged } = await this.#runs.metrics(runId);
    return { ...historyOf(records), damaged };
  }

  async rename(runId: string, { name, note }: { name: string; note: string }): Promise<void> {
    const words = { name: name.trim(), note: note.trim() };
    if (words.name === '') throw new AppError('recipe/invalid', 'the name of a run: nothing was found', { expected: 'a name' });
    for (const [what, said] of Object.entries(words)) {
      const most = MOST_CHARACTERS[what as keyof typeof words];
      if (said.length <= most) continue;
      const message = `the ${what} of a run: ${said.length} characters were found, at most ${most} were expected`;
      throw new AppError('recipe/invalid', message, { found: said.length, expected: most });
    }
    const writer = this.#writers.get(runId);
    await (writer ? writer.rename(words) : this.#runs.update(runId, words));
  }

  remove(runId: string): Promise<void> {
    this.#writers.delete(runId);
    return this.#runs.remove(runId);
  }

  async report(): Promise<StorageReport> {
    const persisted = typeof navigator === 'undefined' ? undefined : navigator.storage?.persisted?.bind(navigator.storage);
    return { ...(await readUsage(this.#store)), isPersistent: persisted ? await persisted() : null };
  }

  empty(part: StoragePart, name?: string): Promise<void> {
    return emptyPart(this.#store, part, name);
  }

  async keepModel(
    { name, files }: ModelSource,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<KeptModel> {
    const report = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => onProgress(doneBytes, totalBytes);
    return keptModelOf(await this.#models.add(name, files, { onProgress: report, signal }));
  }

  async models(): Promise<{ models: KeptModel[]; damaged: DamagedFile[] }> {
    const { kept, damaged } = await this.#models.list();
    return { models: kept.map(keptModelOf), damaged };
  }

  async modelFiles(
    key: string,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<{ name: string; files: NamedFile[] }> {
    const kept = await this.#models.get(key);
    const report = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => onProgress(doneBytes, totalBytes);
    const [damaged] = await this.#models.verify(key, { onProgress: report, signal });
    if (damaged) {
      const { path, found, expected } = damaged;
      throw new AppError('storage/damaged', `${path}: ${found} was found, ${expected} was expected`, { file: path, found, expected });
    }
    const files: NamedFile[] = [];
    for (const path of Object.keys(kept.files)) files.push({ path, file: await this.#blobOf(this.#models.pathOf(key, path)) });
    return { name: kept.name, files };
  }

  #writer(id: string): KeptRun {
    const writer = new KeptRun(this.#runs, id);
    this.#writers.set(id, writer);
    return writer;
  }

  async #summary({ id, name, createdAt, updatedAt, state, step, steps, recipe, model, data, note }: StoredRun): Promise<RunSummary> {
    const checkpoints = await this.#runs.checkpoints(id).list();
    return {
      id,
      name,
      createdAt,
      updatedAt,
      state,
      step,
      steps,
      recipe,
      modelName: model.name,
      modelKey: model.key,
      dataName: data.name,
      rowCount: data.rows,
      checkpoints: checkpoints.map((checkpoint) => checkpoint.step),
      sizeBytes: await this.#runs.sizeBytes(id),
      note,
    };
  }
}

export function keptModelOf({ key, name, sizeBytes, source }: KeptFolder): KeptModel {
  return { key, name, sizeBytes, ...(source && { source }) };
}
