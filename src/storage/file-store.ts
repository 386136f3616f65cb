/** What a place for files must do, and how its failures are named. Knows neither a disk nor a browser. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError, type ErrorDetails } from '#base/errors.ts';

/** One entry of a folder. */
export interface StoredEntry {
  name: string;
  kind: 'file' | 'folder';
  /** Of a file; 0 for a folder. */
  sizeBytes: number;
}

/**
 * Files that outlive the process: a folder of a disk (Node) or of the browser's private file system (a worker).
 * Paths use `/`, are relative, and never hold `..`, `.`, a backslash, NUL or an empty part (`splitPath`); '' names the root, for `list` alone.
 * Two writers of one path at a time are not supported, nor is reading a path while it is written: whoever shares a store takes turns.
 * Every failure is an AppError: `storage/not-found`, `storage/quota` (no space is left), or `storage/failed`.
 */
export interface FileStore {
  /** Sorted by name; none when there is no such folder. */
  list(folder: string): Promise<StoredEntry[]>;
  /** A source of the file as it is now; what it reads once the file was written anew is not defined. @throws AppError `storage/not-found`. */
  open(path: string): Promise<ByteSource>;
  /**
   * The whole file anew, on the disk before it resolves. A crash or a failure may leave it torn: what must be whole is named by a
   * manifest written last. Folders above it are made. @throws AppError `storage/quota`, `storage/failed`.
   */
  write(path: string, parts: readonly Uint8Array[]): Promise<void>;
  /** Adds to the end of the file, which is made when absent; on the disk before it resolves. @throws as `write`. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** A file, or a folder with all in it; nothing happens when there is none. */
  remove(path: string): Promise<void>;
  /** Bytes that may still be written; null where it cannot be told. */
  freeBytes(): Promise<number | null>;
}

/** A file system refuses a longer name. */
const MAX_NAME_BYTES = 255;

/** The parts of a path. @throws AppError `storage/failed` naming what is wrong with it. */
export function splitPath(path: string): string[] {
  const parts = path.split('/');
  for (const part of parts) {
    const problem = nameProblem(part);
    if (problem !== null) {
      throw new AppError('storage/failed', `the path ${JSON.stringify(path)} has ${problem}`, { file: path, found: problem });
    }
  }
  return parts;
}

function nameProblem(name: string): string | null {
  if (name === '') return 'an empty part: relative paths with single slashes were expected';
  if (name === '.' || name === '..') return `the part '${name}'`;
  // Node takes a backslash for a separator on Windows.
  if (name.includes('\0') || name.includes('\\')) return 'a NUL or a backslash';
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) return `a name of more than ${MAX_NAME_BYTES} bytes`;
  return null;
}

/** The path of `name` in a folder that may be the root. */
export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

export function totalSize(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.byteLength, 0);
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'QuotaExceededError']);
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'NotFoundError']);

/** The code of a failed system call, or the name of a browser's exception. */
export function failureName(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'unknown';
}

/**
 * Why a file could not be read or written, as an AppError.
 * @param expected bytes that were to be written, where it was writing
 * @param found bytes that were free, where known
 */
export function storageError(
  file: string,
  error: unknown,
  { expected, found }: { expected?: number; found?: number | null } = {},
): AppError {
  if (error instanceof AppError) return error;
  const name = failureName(error);
  if (FULL.has(name)) return quotaError(file, { expected, found }, error);
  if (ABSENT.has(name) && expected === undefined) {
    return new AppError('storage/not-found', `${file}: there is no such file`, { file, found: name }, error);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new AppError('storage/failed', `${file}: ${message}`, { file, found: name }, error);
}

/** No space for `expected` bytes where `found` are free; either may be unknown. Free bytes that would be enough are not believed: a quota lies elsewhere. */
export function quotaError(file: string, bytes: { expected?: number; found?: number | null }, cause?: unknown): AppError {
  const { expected } = bytes;
  const found = typeof bytes.found === 'number' && bytes.found < (expected ?? Infinity) ? bytes.found : undefined;
  const details: ErrorDetails = { file };
  if (expected !== undefined) details.expected = expected;
  if (found !== undefined) details.found = found;
  const need = expected === undefined ? 'no space is left' : `space for ${expected} bytes was expected`;
  const free = found === undefined ? '' : `, ${found} are free`;
  return new AppError('storage/quota', `${file}: ${need}${free}`, details, cause);
}

/** A file that is not what was written. */
export function damagedError(file: string, found: string, expected: string): AppError {
  return new AppError('storage/damaged', `${file}: ${found} was found, ${expected} was expected`, { file, found, expected });
}

/** For sorting by name the same way everywhere. */
export function byName(a: { name: string }, b: { name: string }): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/** SHA-256 of bytes in lower-case hex. @source FIPS 180-4, by the Web Crypto API */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export async function readWhole(store: FileStore, path: string): Promise<Uint8Array> {
  const source = await store.open(path);
  return source.read(0, source.sizeBytes);
}

/** Bytes of all files in a folder and below; 0 when there is none. */
export async function sizeBelow(store: FileStore, folder: string): Promise<number> {
  let sum = 0;
  for (const { name, kind, sizeBytes } of await store.list(folder)) {
    sum += kind === 'file' ? sizeBytes : await sizeBelow(store, joinPath(folder, name));
  }
  return sum;
}
