/** Models and datasets of a hub for the command line: models are fetched once, into a cache that all runs share. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import type { FinetuneFlags, HubRows } from '#cli/flags.ts';
import { ProgressLine, formatBytes, say } from '#cli/progress.ts';
import { loadRows } from '#data/load-rows.ts';
import type { RowSet } from '#data/rows.ts';
import type { SplitSlice } from '#data/split-syntax.ts';
import { rowsOf } from '#run/hub-data-session.ts';
import { openHubDataset } from '#storage/hub-datasets.ts';
import { HubDownloads } from '#storage/hub-download.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import { Hub, parseHubId } from '#storage/hub.ts';
import { KeptFiles, type KeptFolder } from '#storage/models.ts';
import { openNodePath } from '#storage/node-files.ts';
import { nodeStore } from '#storage/node-store.ts';

export interface OpenedModel {
  files: Map<string, ByteSource>;
  /** The path that was given, or the id on the hub: what an adapter says of its base. */
  name: string;
  /** What progress calls it. */
  title: string;
}

type ModelFlags = Pick<FinetuneFlags, 'model' | 'ggufFile' | 'hubToken'>;

/**
 * A file or a folder of the disk; where there is none of that name, the model of that id on the hub: out of the cache, or fetched into it.
 * @throws AppError `storage/*`, `hub/*`, `model/missing-file`, `run/cancelled`
 */
export async function openModel({ model, ggufFile, hubToken }: ModelFlags): Promise<OpenedModel> {
  const ref = existsSync(model) ? null : hubModelId(model);
  if (ref === null) return { files: await openNodePath(model), name: model, title: basename(resolve(model)) };
  const store = nodeStore(cacheFolder());
  const hub = openHub(hubToken);
  const kept = await keptOrFetched(hub, { ...ref, ggufFile }, store).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'hub/not-found') throw error;
    throw new AppError(error.code, `${error.message}; there is no file or folder ${model} either`, error.details, error);
  });
  return { files: await new KeptFiles(store, 'models').open(kept.key), name: ref.id, title: ref.id };
}

/**
 * Rows of a hub's dataset; `trainSplit`: which of the set's rows are trained on.
 * @throws AppError `hub/*`, `data/*`, `recipe/invalid`
 */
export async function openHubRows(
  rows: HubRows,
  { trainSplit, evalSplit, hubToken }: Pick<FinetuneFlags, 'trainSplit' | 'evalSplit' | 'hubToken'>,
): Promise<{ set: RowSet; evalSet: RowSet | null; trainSplit: SplitSlice[] }> {
  const hub = openHub(hubToken);
  const { id, subset, split, evalSubset, evalSplit: otherSplit } = rows;
  const train = await openHubDataset(hub, { id, subset, split });
  if (train.isPartial) say(`rows: ${hub.host} offers the first part of ${id} ${train.split} alone`);
  const all: SplitSlice[] = [{ text: train.split, name: train.split, from: null, to: null, isPercent: false, rounding: 'closest' }];
  // Where rows of the same split are measured, all of it is needed; else what is trained on alone is read.
  const isShared = evalSplit !== null;
  const set = await loadRows([{ name: id, rows: await rowsOf(isShared ? { ...train, slices: all } : train) }]);
  const other = otherSplit === null ? null : await openHubDataset(hub, { id, subset: evalSubset, split: otherSplit });
  const evalSet = other && (await loadRows([{ name: id, rows: await rowsOf(other) }]));
  return { set, evalSet, trainSplit: isShared ? trainSplit : all };
}

/** An id with its owner: a bare name is more likely a file that was not found. */
function hubModelId(model: string): { id: string; revision: string | null } | null {
  const ref = parseHubId(model);
  return ref !== null && ref.id.includes('/') ? ref : null;
}

function openHub(token: string | null): Hub {
  const { HF_TOKEN, HF_ENDPOINT } = process.env;
  const onWait = ({ host, seconds, status }: { host: string; seconds: number; status: number | null }) =>
    say(`hub: ${host} ${status === null ? 'did not answer' : `answered ${status}`}; again in ${Math.ceil(seconds)} s`);
  return new Hub({ endpoint: HF_ENDPOINT || undefined, token: token ?? HF_TOKEN ?? null, onWait });
}

export function cacheFolder(): string {
  return process.env.LORATORY_HOME || join(homedir(), '.cache', 'loratory');
}

interface Wanted {
  id: string;
  revision: string | null;
  ggufFile: string | null;
}

async function keptOrFetched(hub: Hub, wanted: Wanted, store: ReturnType<typeof nodeStore>): Promise<KeptFolder> {
  const { id, revision, ggufFile } = wanted;
  try {
    const model = await hub.model(id, { revision });
    const line = new ProgressLine(`fetching ${id}`, 'bytes');
    const onProgress = ({ doneBytes, totalBytes }: { doneBytes: number; totalBytes: number }) => line.show(doneBytes, totalBytes);
    return await new HubDownloads(store).fetch(hub, model, filesToFetch(model, ggufFile), { onProgress });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'hub/offline') throw error;
    const kept = await newestKept(hub, wanted, store);
    if (kept === null) throw error;
    say(`hub: ${hub.host} does not answer; ${kept.name} of commit ${kept.source?.commit ?? ''} (${formatBytes(kept.sizeBytes)}) is here`);
    return kept;
  }
}

/** What the cache has of a model when the hub does not answer: of the commit, where one was named. */
async function newestKept(hub: Hub, { id, revision, ggufFile }: Wanted, store: ReturnType<typeof nodeStore>): Promise<KeptFolder | null> {
  const isCommit = revision !== null && /^[0-9a-f]{40}$/.test(revision);
  const { kept } = await new KeptFiles(store, 'models').list();
  const isWanted = ({ source, files }: KeptFolder) =>
    source?.id === id &&
    source.endpoint === hub.endpoint &&
    (!isCommit || source.commit === revision) &&
    (ggufFile === null || ggufFile in files);
  return kept.find(isWanted) ?? null;
}
