/** The browser's private file system (OPFS) as a file store, in a worker or a page. Knows nothing of what the files hold. */
import type { ByteSource } from '#base/bytes.ts';
import { blobSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { byName, failureName, type FileStore, splitPath, storageError, type StoredEntry, totalSize } from '#storage/file-store.ts';

/** In a private window Chromium (seen in 156) answers a write past the quota with its error -8 as a number of bytes and throws nothing. */
const CHROMIUM_NO_SPACE = 2 ** 32 - 8;

export interface OpfsStore extends FileStore {
  /** The file as the browser has it, to be sent to another worker. @throws as `open`. */
  file(path: string): Promise<File>;
}

/**
 * Files below `root`, without one those of the page's origin. A write is flushed to the disk by `flush` in a dedicated worker; where there is
 * no `createSyncAccessHandle`, as in a page, by closing a stream, after which the browser puts the whole file in the place of the old one.
 * The browser keeps the folders' names itself and offers no way to flush those.
 * @source https://fs.spec.whatwg.org/
 */
export function opfsStore(root?: FileSystemDirectoryHandle): OpfsStore {
  const openRoot = async (): Promise<FileSystemDirectoryHandle> => {
    if (root !== undefined) return root;
    // Absent in an insecure context, and in some browsers in a private window.
    if (typeof navigator.storage?.getDirectory !== 'function') {
      throw new AppError('storage/failed', 'this browser gives the page no files of its own; a page over https was expected');
    }
    return navigator.storage.getDirectory();
  };

  const folderAt = async (parts: readonly string[], create: boolean): Promise<FileSystemDirectoryHandle> => {
    let folder = await openRoot();
    for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
    return folder;
  };

  const handleAt = async (path: string, create: boolean): Promise<FileSystemFileHandle> => {
    const parts = splitPath(path);
    const folder = await folderAt(parts.slice(0, -1), create);
    return folder.getFileHandle(parts[parts.length - 1], { create });
  };

  const put = async (path: string, parts: readonly Uint8Array[], isAppend: boolean): Promise<void> => {
    try {
      const handle = await handleAt(path, true);
      // TypeScript has it everywhere, browsers in dedicated workers alone.
      if (typeof handle.createSyncAccessHandle === 'function') await putSync(handle, path, parts, isAppend);
      else await putStream(handle, parts, isAppend);
    } catch (error) {
      throw storageError(path, error, { expected: totalSize(parts), found: await freeBytes() });
    }
  };

  const fileAt = async (path: string): Promise<File> => {
    try {
      return await (await handleAt(path, false)).getFile();
    } catch (error) {
      throw openError(path, error);
    }
  };

  return {
    async list(folder) {
      const parts = folder === '' ? [] : splitPath(folder);
      try {
        const entries: StoredEntry[] = [];
        for await (const [name, handle] of (await folderAt(parts, false)).entries()) {
          if (handle.kind === 'file') entries.push({ name, kind: 'file', sizeBytes: (await handle.getFile()).size });
          else entries.push({ name, kind: 'folder', sizeBytes: 0 });
        }
        return entries.sort(byName);
      } catch (error) {
        if (isAbsent(error)) return [];
        throw storageError(folder, error);
      }
    },
    async open(path) {
      return sourceOf(path, await fileAt(path));
    },
    file: fileAt,
    write: (path, parts) => put(path, parts, false),
    append: (path, bytes) => put(path, [bytes], true),
    async remove(path) {
      const parts = splitPath(path);
      try {
        const folder = await folderAt(parts.slice(0, -1), false);
        await folder.removeEntry(parts[parts.length - 1], { recursive: true });
      } catch (error) {
        if (!isAbsent(error)) throw storageError(path, error);
      }
    },
    freeBytes,
  };
}

async function putSync(handle: FileSystemFileHandle, path: string, parts: readonly Uint8Array[], isAppend: boolean): Promise<void> {
  const access = await handle.createSyncAccessHandle();
  try {
    if (!isAppend) access.truncate(0);
    let position = isAppend ? access.getSize() : 0;
    for (const part of parts) {
      for (let at = 0; at < part.byteLength;) {
        const written = access.write(part.subarray(at), { at: position });
        if (written === 0 || written === CHROMIUM_NO_SPACE) throw new DOMException('no space is left', 'QuotaExceededError');
        if (written > part.byteLength - at)
          throw new AppError('storage/failed', `${path}: the browser gave the error ${written}`, { file: path });
        at += written;
        position += written;
      }
    }
    access.flush();
  } finally {
    access.close();
  }
}

/** Chromium (seen in 156) ends a stream past the quota with an AbortError that does not tell why: `storage/failed`. */
async function putStream(handle: FileSystemFileHandle, parts: readonly Uint8Array[], isAppend: boolean): Promise<void> {
  const stream = await handle.createWritable({ keepExistingData: isAppend });
  try {
    if (isAppend) await stream.seek((await handle.getFile()).size);
    for (const part of parts) await stream.write(part as Uint8Array<ArrayBuffer>);
  } catch (error) {
    await stream.abort().catch(() => {});
    throw error;
  }
  await stream.close();
}

function sourceOf(path: string, file: File): ByteSource {
  const blob = blobSource(path, file);
  return {
    name: path,
    sizeBytes: file.size,
    async read(start, end) {
      try {
        return await blob.read(start, end);
      } catch (error) {
        // A browser may answer NotReadableError where the file was written since it was opened.
        throw openError(path, error);
      }
    },
  };
}

/**
 * What the browser says this origin may still use. Chromium (seen in 156) says 10 GiB whatever the disk or the quota has, so that pages learn
 * nothing from it: that a write fits is known when it is done.
 */
async function freeBytes(): Promise<number | null> {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined || usage === undefined ? null : Math.max(0, quota - usage);
  } catch {
    return null;
  }
}

/** A file stands where a folder was looked for. */
const isAbsent = (error: unknown): boolean => ['NotFoundError', 'TypeMismatchError'].includes(failureName(error));

function openError(path: string, error: unknown): AppError {
  if (failureName(error) !== 'TypeMismatchError') return storageError(path, error);
  return new AppError('storage/failed', `${path}: a file was expected, a folder was found`, { file: path }, error);
}
