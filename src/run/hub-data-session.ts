/** A data session that opens tokenizers and datasets of a hub as well. No postMessage here. */
import { rowsOfSplit } from '#data/split-syntax.ts';
import { openRows, type RowsFile } from '#formats/rows.ts';
import type { DataEvents, DatasetSummary, TokenizerSummary } from '#protocol/data.ts';
import type { HubDatasetChoice, HubDatasetState, HubModelChoice } from '#protocol/hub.ts';
import type { Emit } from '#protocol/rpc.ts';
import { DataSession } from '#run/data-session.ts';
import { HubClient } from '#run/hub-client.ts';
import { joinRows } from '#run/join-rows.ts';
import type { FileStore } from '#storage/file-store.ts';
import { type HubDataset, openHubDataset } from '#storage/hub-datasets.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import { openFromHub } from '#storage/hub-source.ts';
import type { Hub } from '#storage/hub.ts';

export class HubDataSession extends DataSession {
  readonly #client: HubClient;
  readonly #tell: Emit<DataEvents>;
  #opening: AbortController | null = null;

  constructor(emit: Emit<DataEvents>, store: FileStore | null, client = new HubClient(store)) {
    super(emit);
    this.#tell = emit;
    this.#client = client;
  }

  async openHubTokenizer({ id, revision, gguf }: HubModelChoice): Promise<TokenizerSummary> {
    const hub = await this.#open();
    const model = await hub.model(id, { revision });
    return this.openTokenizerOf(openFromHub(hub, { kind: 'model', id, revision: model.commit }, filesToFetch(model, gguf)));
  }

  /** Rows are read by range as they are needed; an opening that is under way ends. */
  async openHubDataset({ id, subset, split, heldOutSplit }: HubDatasetChoice): Promise<DatasetSummary & { hub: HubDatasetState }> {
    this.#opening?.abort();
    const abort = new AbortController();
    this.#opening = abort;
    try {
      const hub = await this.#open();
      const dataset = await openHubDataset(hub, { id, subset, split, signal: abort.signal });
      const file = await rowsOf(dataset);
      const heldOut =
        heldOutSplit === undefined ? null : await openHubDataset(hub, { id, subset, split: heldOutSplit, signal: abort.signal });
      const heldOutFile = heldOut && { name: nameOf(heldOut), file: await rowsOf(heldOut) };
      const { commit, subsets, isPartial } = dataset;
      const state = { id, commit, subset: dataset.subset, split: dataset.split, subsets, isPartial };
      return { ...(await this.openRowsFile(nameOf(dataset), file, heldOutFile)), hub: state };
    } finally {
      if (this.#opening === abort) this.#opening = null;
    }
  }

  cancelHubDataset(): void {
    this.#opening?.abort();
  }

  #open(): Promise<Hub> {
    return this.#client.open((wait) => this.#tell('hubWait', wait));
  }
}

/** The rows of the split's slices, in their order. */
export async function rowsOf({ files, slices, id }: Pick<HubDataset, 'id' | 'files' | 'slices'>): Promise<RowsFile> {
  const opened: RowsFile[] = [];
  for (const { source } of files) opened.push(await openRows(source));
  const whole = joinRows(id, opened);
  const isAll = slices.length === 1 && slices[0].from === null && slices[0].to === null;
  return isAll ? whole : joinRows(id, opened, rowsOfSplit(slices, whole.rowCount));
}

function nameOf({ id, subset, slices }: HubDataset): string {
  const split = slices.map(({ text }) => text).join('+');
  return `${id} (${subset === 'default' ? '' : `${subset}, `}${split})`;
}
