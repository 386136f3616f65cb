/** A session that finds, fetches and opens models of a hub as well. No postMessage here. */
import { AppError } from '#base/errors.ts';
import { SUPPORTED_TYPES } from '#engine/models/model.ts';
import type { HubCard, HubModel, HubModelChoice, HubState, PartialDownload } from '#protocol/hub.ts';
import type { KeptModel, ModelSummary } from '#protocol/trainer.ts';
import type { Archive } from '#run/archive.ts';
import type { Budgets } from '#run/budget.ts';
import { HubClient } from '#run/hub-client.ts';
import { RateMeter } from '#run/metrics.ts';
import type { Emit } from '#run/run-events.ts';
import { Session } from '#run/session.ts';
import { keptModelOf } from '#run/stored-archive.ts';
import type { FileStore } from '#storage/file-store.ts';
import { HubDownloads } from '#storage/hub-download.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import { openFromHub } from '#storage/hub-source.ts';
import type { Hub } from '#storage/hub.ts';

const REPORT_MS = 100;

export class HubSession extends Session {
  readonly #tell: Emit;
  readonly #store: FileStore | null;
  readonly #client: HubClient;
  #download: AbortController | null = null;

  /** `store`: where models are kept and the hub's settings are; null: nothing is. */
  constructor(
    entry: GPU | undefined,
    emit: Emit,
    { archive, budgets, store, client }: { archive: Archive | null; budgets: Budgets; store: FileStore | null; client?: HubClient },
  ) {
    super(entry, emit, archive, budgets);
    this.#tell = emit;
    this.#store = store;
    this.#client = client ?? new HubClient(store);
  }

  hub(): Promise<HubState> {
    return this.#client.state();
  }

  setHub(change: { endpoint?: string; token?: string | null }): Promise<HubState> {
    return this.#client.change(change);
  }

  async hubSearch({ text, limit }: { text: string; limit?: number }): Promise<HubCard[]> {
    return (await this.#open()).search(text, { limit });
  }

  async hubModel({ id, revision }: HubModelChoice): Promise<HubModel> {
    return (await this.#open()).model(id, { revision, supported: SUPPORTED_TYPES });
  }

  async hubDownload({ id, revision, gguf }: HubModelChoice): Promise<KeptModel> {
    const store = this.#requireStore();
    if (this.#download) throw new AppError('run/busy', 'a model is being fetched; pause it before another is');
    const abort = new AbortController();
    this.#download = abort;
    try {
      const hub = await this.#open();
      const model = await hub.model(id, { revision, supported: SUPPORTED_TYPES, signal: abort.signal });
      const meter = new RateMeter();
      let reportedAt = -Infinity;
      const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => {
        const now = performance.now();
        if (now - reportedAt < REPORT_MS && doneBytes < totalBytes) return;
        reportedAt = now;
        this.#tell('hubProgress', { id, commit: model.commit, ...meter.at(doneBytes, totalBytes) });
      };
      const files = filesToFetch(model, gguf);
      return keptModelOf(await new HubDownloads(store).fetch(hub, model, files, { onProgress, signal: abort.signal }));
    } finally {
      this.#download = null;
    }
  }

  pauseHubDownload(): void {
    this.#download?.abort();
  }

  async hubDownloads(): Promise<PartialDownload[]> {
    return this.#store ? new HubDownloads(this.#store).unfinished() : [];
  }

  /** Nothing of it is stored: its bytes are fetched as they are needed. */
  async openHubModel({ id, revision, gguf }: HubModelChoice): Promise<ModelSummary> {
    const hub = await this.#open();
    const model = await hub.model(id, { revision, supported: SUPPORTED_TYPES });
    const files = filesToFetch(model, gguf);
    const name = files.length === 1 ? `${id}/${files[0].path}` : id;
    return this.openSources(name, openFromHub(hub, { kind: 'model', id, revision: model.commit }, files));
  }

  override async emptyStorage(params: Parameters<Session['emptyStorage']>[0]): Promise<void> {
    if (this.#download && params.part === 'models')
      throw new AppError('run/busy', 'a model is being fetched; pause it before what is kept is deleted');
    return super.emptyStorage(params);
  }

  override async close(): Promise<void> {
    this.pauseHubDownload();
    return super.close();
  }

  #open(): Promise<Hub> {
    return this.#client.open((wait) => this.#tell('hubWait', wait));
  }

  #requireStore(): FileStore {
    if (this.#store) return this.#store;
    throw new AppError('storage/failed', 'this browser gives the page no storage: a model can be opened from the hub, but not kept');
  }
}
