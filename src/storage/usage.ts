/** What is kept in a store by part, how large it is, and how it is emptied. Knows the layout, not what is in use. */
import { AppError } from '#base/errors.ts';
import { type FileStore, joinPath, sizeBelow, splitPath } from '#storage/file-store.ts';
import { HubDownloads } from '#storage/hub-download.ts';
import { KeptFiles } from '#storage/models.ts';
import { RUNS_FOLDER, RunStore } from '#storage/runs.ts';

export const PARTS = ['models', 'datasets', 'runs', 'other'] as const;
export type StoragePart = (typeof PARTS)[number];

export interface StoredItem {
  /** Its name in the store, by which it is removed. */
  name: string;
  /** What the user calls it; its name in the store where that cannot be read. */
  title: string;
  sizeBytes: number;
}

export interface StorageUsage {
  /** Every part, empty ones too. */
  parts: { part: StoragePart; sizeBytes: number; items: StoredItem[] }[];
  usedBytes: number;
  /** Null where it cannot be told. */
  freeBytes: number | null;
}

/** Walks the whole store. What a torn write left is an item too: its bytes are taken, and it can be removed. */
export async function readUsage(store: FileStore): Promise<StorageUsage> {
  const titles: Record<StoragePart, Map<string, string>> = {
    models: titlesOf(
      [...(await new HubDownloads(store).unfinished()), ...(await new KeptFiles(store, 'models').list()).kept],
      ({ key }) => key,
    ),
    datasets: titlesOf((await new KeptFiles(store, 'datasets').list()).kept, ({ key }) => key),
    runs: titlesOf((await new RunStore(store).list()).runs, ({ id }) => id),
    other: new Map(),
  };
  const parts: StorageUsage['parts'] = [];
  for (const part of PARTS) {
    const items: StoredItem[] = [];
    for (const { name, kind, sizeBytes } of await entriesOf(store, part)) {
      const size = kind === 'file' ? sizeBytes : await sizeBelow(store, pathOf(part, name));
      items.push({ name, title: titles[part].get(name) ?? name, sizeBytes: size });
    }
    parts.push({ part, items, sizeBytes: items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) });
  }
  const usedBytes = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { parts, usedBytes, freeBytes: await store.freeBytes() };
}

/**
 * Removes everything of a part, or the one item of that name; nothing happens when there is none. What is in use is the caller's to know.
 * @throws AppError `storage/failed`; what was removed before it stays removed.
 */
export async function emptyPart(store: FileStore, part: StoragePart, name?: string): Promise<void> {
  if (name !== undefined && splitPath(name).length > 1) {
    throw new AppError('storage/failed', `${name} was found, the name of an item was expected`, { found: name });
  }
  for (const entry of await entriesOf(store, part)) {
    if (name !== undefined && entry.name !== name) continue;
    if (entry.kind === 'file' || part === 'other') await store.remove(pathOf(part, entry.name));
    else if (part === RUNS_FOLDER) await new RunStore(store).remove(entry.name);
    else await new KeptFiles(store, part).remove(entry.name);
  }
}

function pathOf(part: StoragePart, name: string): string {
  return part === 'other' ? name : joinPath(part, name);
}

/** `other`: all at the root that is none of the parts' folders. */
async function entriesOf(store: FileStore, part: StoragePart) {
  if (part !== 'other') return store.list(part);
  return (await store.list('')).filter(({ name }) => !PARTS.some((known) => known !== 'other' && known === name));
}

function titlesOf<T extends { name: string }>(items: readonly T[], nameOf: (item: T) => string): Map<string, string> {
  return new Map(items.map((item) => [nameOf(item), item.name]));
}
