/** A folder of a disk as a file store. Node alone; knows nothing of what the files hold. */
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { byName, failureName, type FileStore, splitPath, storageError, totalSize } from '#storage/file-store.ts';
import { openNodeFile } from '#storage/node-files.ts';

/** Node writes at most 2^31 - 1 bytes at once. */
const MAX_WRITE_BYTES = 1_073_741_824;

/**
 * Makes a folder with those above it. Node's own `recursive` never ends where a file system answers ENOENT below a folder that exists,
 * as /proc does; here a second ENOENT is an error.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (failureName(error) === 'EEXIST') return;
    if (failureName(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path).catch((second: unknown) => {
      if (failureName(second) !== 'EEXIST') throw second;
    });
  }
  await syncFolder(dirname(path));
}

/** A new or removed name is on the disk once its folder is. Windows cannot flush a folder; its file systems journal names. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(path, 'r');
  await handle.sync();
}

async function writeParts(path: string, flags: 'w' | 'a', parts: readonly Uint8Array[]): Promise<void> {
  await makeFolder(dirname(path));
  {
    await using handle = await open(path, flags);
    for (const part of parts) {
      for (let at = 0; at < part.byteLength;) {
        const { bytesWritten } = await handle.write(part, at, Math.min(part.byteLength - at, MAX_WRITE_BYTES));
        at += bytesWritten;
      }
    }
    await handle.sync();
  }
  await syncFolder(dirname(path));
}

/** Of the nearest folder that exists: the root is made by the first write. */
async function freeBytesAt(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    return failureName(error) === 'ENOENT' && dirname(path) !== path ? freeBytesAt(dirname(path)) : null;
  }
}

/**
 * Files below the folder `root`, which is made by the first write. Each write is flushed (fsync) with its folder.
 * Links are followed, so what lies in the folder is trusted.
 */
export function nodeStore(root: string): FileStore {
  const diskPath = (path: string): string => join(root, ...splitPath(path));

  const change = async (path: string, flags: 'w' | 'a', parts: readonly Uint8Array[]): Promise<void> => {
    const file = diskPath(path);
    try {
      await writeParts(file, flags, parts);
    } catch (error) {
      throw storageError(file, error, { expected: totalSize(parts), found: await freeBytesAt(root) });
    }
  };

  return {
    async list(folder) {
      const directory = folder === '' ? root : diskPath(folder);
      try {
        const entries = await readdir(directory);
        const found = await Promise.all(
          entries.map(async (name) => {
            const status = await stat(join(directory, name)).catch(() => null);
            if (status?.isDirectory()) return { name, kind: 'folder' as const, sizeBytes: 0 };
            return status?.isFile() ? { name, kind: 'file' as const, sizeBytes: status.size } : null;
          }),
        );
        return found.filter((entry) => entry !== null).sort(byName);
      } catch (error) {
        if (failureName(error) === 'ENOENT' || failureName(error) === 'ENOTDIR') return [];
        throw storageError(directory, error);
      }
    },
    open: async (path) => openNodeFile(diskPath(path)),
    write: (path, parts) => change(path, 'w', parts),
    append: (path, bytes) => change(path, 'a', [bytes]),
    async remove(path) {
      const file = diskPath(path);
      try {
        await rm(file, { recursive: true, force: true });
        await syncFolder(dirname(file));
      } catch (error) {
        if (failureName(error) === 'ENOENT' || failureName(error) === 'ENOTDIR') return;
        throw storageError(file, error);
      }
    },
    freeBytes: () => freeBytesAt(root),
  };
}
