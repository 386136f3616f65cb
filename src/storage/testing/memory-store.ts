/** A file store in memory, for tests of what stands on one. Holds copies: a caller's later change of its bytes changes nothing. */
import { type ByteSource, memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { byName, type FileStore, quotaError, splitPath, type StoredEntry, totalSize } from '#storage/file-store.ts';

export interface MemoryStore extends FileStore {
  /** The files by their paths, to look at or to spoil. */
  readonly files: Map<string, Uint8Array>;
}

/** `capacityBytes`: how much it holds in all, then it is full; null: no end, and `freeBytes` cannot tell. */
export function memoryStore({ capacityBytes = null }: { capacityBytes?: number | null } = {}): MemoryStore {
  const files = new Map<string, Uint8Array>();
  const free = (): number | null => (capacityBytes === null ? null : capacityBytes - totalSize([...files.values()]));
  const isFolder = (path: string): boolean => [...files.keys()].some((file) => file.startsWith(`${path}/`));

  const put = async (path: string, before: Uint8Array, parts: readonly Uint8Array[]): Promise<void> => {
    const steps = splitPath(path);
    const inTheWay = isFolder(path) ? path : steps.map((_, i) => steps.slice(0, i).join('/')).find((folder) => files.has(folder));
    if (inTheWay !== undefined) throw new AppError('storage/failed', `${path}: ${inTheWay} is in the way`, { file: path, found: inTheWay });
    const whole = new Uint8Array(before.byteLength + totalSize(parts));
    whole.set(before);
    let at = before.byteLength;
    for (const part of parts) {
      whole.set(part, at);
      at += part.byteLength;
    }
    files.set(path, before);
    const found = free();
    if (found !== null && found < totalSize(parts)) {
      files.set(path, whole.slice(0, before.byteLength + Math.max(0, found)));
      throw quotaError(path, { expected: totalSize(parts), found });
    }
    files.set(path, whole);
  };

  return {
    files,
    async list(folder) {
      if (folder !== '') splitPath(folder);
      const prefix = folder === '' ? '' : `${folder}/`;
      const found = new Map<string, StoredEntry>();
      for (const [path, bytes] of files) {
        if (!path.startsWith(prefix)) continue;
        const [name, ...below] = path.slice(prefix.length).split('/');
        const kind = below.length > 0 ? 'folder' : 'file';
        found.set(name, { name, kind, sizeBytes: kind === 'file' ? bytes.byteLength : 0 });
      }
      return [...found.values()].sort(byName);
    },
    async open(path): Promise<ByteSource> {
      splitPath(path);
      const bytes = files.get(path);
      if (bytes === undefined) {
        if (isFolder(path)) throw new AppError('storage/failed', `${path}: a file was expected, a folder was found`, { file: path });
        throw new AppError('storage/not-found', `${path}: there is no such file`, { file: path });
      }
      return memorySource(path, bytes.slice());
    },
    write: (path, parts) => put(path, new Uint8Array(), parts),
    append: (path, bytes) => put(path, files.get(path) ?? new Uint8Array(), [bytes]),
    async remove(path) {
      splitPath(path);
      for (const file of files.keys()) if (file === path || file.startsWith(`${path}/`)) files.delete(file);
    },
    freeBytes: async () => free(),
  };
}
