/** Datasets of a hub as the parquet files into which the hub turns every one. Knows splits by name, no row. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { type SplitSlice, parseSplit } from '#data/split-syntax.ts';
import { checkId, type Hub, type HubFile, type HubFileRef } from '#storage/hub.ts';
import type { HubSubject } from '#storage/hub-failures.ts';
import { countAt, entriesAt, listAt, textAt } from '#storage/hub-json.ts';
import { openFromHub } from '#storage/hub-source.ts';

/** What of a dataset is wanted, in the words of the `datasets` library. */
export interface DatasetChoice {
  id: string;
  /** Its configuration; null: the only one, or `default`. */
  subset?: string | null;
  /** `train[:80%]`; all that is added up is of one split. */
  split?: string;
  signal?: AbortSignal;
}

export interface HubDataset {
  id: string;
  endpoint: string;
  /** Of the parquet files. */
  commit: string;
  subset: string;
  /** The split's name, and which of its rows. */
  split: string;
  /** Of a large dataset the hub turns the first part alone into parquet. */
  isPartial: boolean;
  slices: SplitSlice[];
  /** In order: their rows follow each other. */
  files: { path: string; sizeBytes: number; source: ByteSource }[];
  /** All that there is to choose from. */
  subsets: { name: string; splits: string[] }[];
}

/** The branch in which the hub keeps them. */
const PARQUET_BRANCH = 'refs/convert/parquet';

/**
 * The parquet files of one split, at one commit.
 * @throws AppError `hub/*`; `data/invalid` for a subset or split that is not there, naming those that are; `recipe/invalid` for a split
 * that cannot be read, or that adds up two.
 */
export async function openHubDataset(hub: Hub, { id, subset = null, split = 'train', signal }: DatasetChoice): Promise<HubDataset> {
  const slices = parseSplit(split);
  if ('found' in slices) throw badSplit(id, slices.found, slices.expected);
  const { name } = slices[0];
  if (slices.some((slice) => slice.name !== name)) throw badSplit(id, split, 'parts of one split');
  const subject: HubSubject = { kind: 'dataset', id: checkId(id), revision: PARQUET_BRANCH };
  const listing = await hub.requests.json(`/api/datasets/${id}/parquet`, subject, { signal });
  const subsets = entriesAt(listing).map(([config, splits]) => ({ name: config, splits: entriesAt(splits).map(([each]) => each) }));
  const chosen = chooseSubset(id, subsets, subset);
  const folder = [name, `partial-${name}`].find((each) => chosen.splits.includes(each));
  if (folder === undefined) throw notThere(id, `the split ${name} of ${chosen.name}`, chosen.splits);

  const branch = encodeURIComponent(PARQUET_BRANCH);
  const info = await hub.requests.json(`/api/datasets/${id}/revision/${branch}?blobs=true`, subject, { signal });
  const commit = textAt(info, 'sha');
  const files = parquetFiles(info, `${chosen.name}/${folder}/`);
  const listed = listAt(listing, chosen.name, folder).length;
  if (commit === null || files.length === 0 || files.length !== listed) {
    throw hub.requests.failures.failed(
      subject,
      `${files.length} parquet files of ${chosen.name}/${folder}`,
      `${listed}, as the hub lists them`,
    );
  }
  const repository: Pick<HubFileRef, 'kind' | 'id' | 'revision'> = { kind: 'dataset', id, revision: commit };
  const sources = openFromHub(hub, repository, files, { signal });
  return {
    id,
    endpoint: hub.endpoint,
    commit,
    subset: chosen.name,
    split: name,
    isPartial: folder !== name,
    slices,
    files: files.map(({ path, sizeBytes }) => ({ path, sizeBytes, source: sources.get(path) as ByteSource })),
    subsets,
  };
}

function chooseSubset(id: string, subsets: HubDataset['subsets'], wanted: string | null): HubDataset['subsets'][number] {
  const names = subsets.map(({ name }) => name);
  if (names.length === 0) throw notThere(id, 'no rows', ['parquet files']);
  if (wanted === null && subsets.length === 1) return subsets[0];
  const found = subsets.find(({ name }) => name === (wanted ?? 'default'));
  if (found) return found;
  throw notThere(id, wanted === null ? 'no subset' : `the subset ${wanted}`, names);
}

/** `0000.parquet` and further in a folder, in order. */
function parquetFiles(info: unknown, folder: string): HubFile[] {
  const files: HubFile[] = [];
  for (const sibling of listAt(info, 'siblings')) {
    const path = textAt(sibling, 'rfilename') ?? '';
    const sizeBytes = countAt(sibling, 'lfs', 'size') ?? countAt(sibling, 'size');
    const isOurs = path.startsWith(folder) && /^[^/]+\.parquet$/.test(path.slice(folder.length));
    if (isOurs && sizeBytes !== null) files.push({ path, sizeBytes, sha256: textAt(sibling, 'lfs', 'sha256'), blobId: null });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function notThere(id: string, found: string, choices: readonly string[]): AppError {
  const expected = choices.length <= 20 ? choices.join(', ') : `${choices.slice(0, 20).join(', ')} or one of ${choices.length - 20} more`;
  return new AppError('data/invalid', `${id}: ${found} was found, one of these was expected: ${expected}`, { file: id, found, expected });
}

function badSplit(id: string, found: string, expected: string): AppError {
  const message = `${id}: ${found} was found as a split, ${expected} was expected`;
  return new AppError('recipe/invalid', message, { file: id, field: 'split', found, expected });
}
