/** The list of a checkpoint's files with their hashes, which is written last. Knows its own text, not where it lies. */
import { damagedError } from '#storage/file-store.ts';
import { openSealed, sealJson } from '#storage/sealed-json.ts';

export const MANIFEST = 'manifest.json';
export const MANIFEST_VERSION = 1;

export interface FileDigest {
  sizeBytes: number;
  /** In lower-case hex. */
  sha256: string;
}

export interface Manifest {
  version: typeof MANIFEST_VERSION;
  step: number;
  files: Record<string, FileDigest>;
}

const HASH = /^[0-9a-f]{64}$/;

/** The bytes of a manifest; they depend on what is listed alone, not on its order. */
export function writeManifest(step: number, files: Record<string, FileDigest>): Promise<Uint8Array> {
  const ordered = Object.keys(files)
    .sort()
    .map((name) => [name, { sizeBytes: files[name].sizeBytes, sha256: files[name].sha256 }] as const);
  return sealJson({ version: MANIFEST_VERSION, step, files: Object.fromEntries(ordered) } satisfies Manifest);
}

/**
 * Checks a manifest's own bytes against what it says.
 * @throws AppError `storage/damaged` naming `file`; `format/unsupported` for a manifest of another version.
 */
export async function parseManifest(file: string, bytes: Uint8Array): Promise<Manifest> {
  const body = await openSealed(file, bytes, MANIFEST_VERSION);
  if (!Number.isSafeInteger(body.step) || !isFileList(body.files)) throw damagedError(file, 'no list of files', 'a step and its files');
  return { version: MANIFEST_VERSION, step: body.step as number, files: body.files };
}

export function isFileList(value: unknown): value is Record<string, FileDigest> {
  return typeof value === 'object' && value !== null && Object.values(value as Record<string, unknown>).every(isDigest);
}

export function isDigest(value: unknown): value is FileDigest {
  if (typeof value !== 'object' || value === null) return false;
  const { sizeBytes, sha256 } = value as Partial<Record<keyof FileDigest, unknown>>;
  return Number.isSafeInteger(sizeBytes) && (sizeBytes as number) >= 0 && typeof sha256 === 'string' && HASH.test(sha256);
}
