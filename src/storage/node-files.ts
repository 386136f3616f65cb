/** Files of a disk as byte sources, for the command line and tests. Node alone; knows no format. */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { checkRange, type ByteSource } from '#base/bytes.ts';
import { AppError, type ErrorCode } from '#base/errors.ts';

/** A model's folder has tens of files; a home folder given by mistake has more than one would wait for. */
const MAX_FOLDER_FILES = 10_000;
/** Node reads at most 2^31 - 1 bytes at once. */
const MAX_READ_BYTES = 1_073_741_824;

function fileError(name: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const kind: ErrorCode = code === 'ENOENT' || code === 'ENOTDIR' ? 'storage/not-found' : 'storage/failed';
  const what = kind === 'storage/not-found' ? 'there is no such file or folder' : message;
  return new AppError(kind, `${name}: ${what}`, { file: name, found: code }, error);
}

/** Opens for each read: a source may be forgotten without a handle leaking, and a read of megabytes hides the open. */
async function readRange(path: string, source: ByteSource, start: number, end: number): Promise<Uint8Array> {
  checkRange(source, start, end);
  const bytes = new Uint8Array(end - start);
  try {
    await using handle = await open(path, 'r');
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, MAX_READ_BYTES), start + at);
      if (bytesRead === 0) {
        const message = `${source.name}: the file ends at byte ${start + at} now, it had ${source.sizeBytes} when it was opened`;
        throw new AppError('format/truncated', message, { file: source.name, found: start + at, expected: source.sizeBytes });
      }
      at += bytesRead;
    }
  } catch (error) {
    throw fileError(source.name, error);
  }
  return bytes;
}

function sourceOf(path: string, name: string, sizeBytes: number): ByteSource {
  const source: ByteSource = { name, sizeBytes, read: (start, end) => readRange(path, source, start, end) };
  return source;
}

/**
 * A file of the disk, named as the user named it.
 * @throws AppError `storage/not-found`, or `storage/failed` for a folder or a file that may not be read.
 */
export async function openNodeFile(path: string): Promise<ByteSource> {
  try {
    const status = await stat(path);
    if (!status.isFile()) throw new AppError('storage/failed', `${path}: a file was expected, something else was found`, { file: path });
    const source = sourceOf(path, path, status.size);
    // What may not be read is told now and not in the middle of the work.
    await source.read(0, Math.min(1, status.size));
    return source;
  } catch (error) {
    throw fileError(path, error);
  }
}

/**
 * Every file under a folder by its path in it, with `/`; files and folders whose names start with a dot are left out.
 * Links are followed to files, not to folders.
 * @throws AppError `storage/not-found`, `storage/failed`.
 */
export async function openNodeFolder(folder: string): Promise<Map<string, ByteSource>> {
  const files = new Map<string, ByteSource>();
  const visit = async (directory: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await visit(path);
      else if (entry.isFile() || entry.isSymbolicLink()) {
        const status = await stat(path).catch(() => null);
        if (!status?.isFile()) continue;
        if (files.size === MAX_FOLDER_FILES) {
          throw new AppError('storage/failed', `${folder}: more than ${MAX_FOLDER_FILES} files were found`, { file: folder });
        }
        files.set(relative(folder, path).split(sep).join('/'), sourceOf(path, path, status.size));
      }
    }
  };
  try {
    await visit(folder);
  } catch (error) {
    throw fileError(folder, error);
  }
  return files;
}

/** A file by its own name, or the files of a folder by their paths inside it: what a user gave as a model or an adapter. */
export async function openNodePath(path: string): Promise<Map<string, ByteSource>> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    throw fileError(path, error);
  }
  return isFolder ? openNodeFolder(path) : new Map([[basename(path), await openNodeFile(path)]]);
}
