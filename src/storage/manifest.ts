/** The list of a checkpoint's files with their hashes, which is written last. Knows its own text, not where it lies. */
import { AppError } from '#base/errors.ts';
import { damagedError, sha256Hex } from '#storage/file-store.ts';

export const MANIFEST = 'manifest.json';
export const MANIFEST_VERSION = 1;

export interface FileDigest {
  sizeBytes: number;
  sha256: string;
}

export interface Manifest {
  version: typeof MANIFEST_VERSION;
  step: number;
  files: Record<string, FileDigest>;
}

const HASH = /^[0-9a-f]{64}$/;
/** A manifest lists a handful of files. */
const MAX_MANIFEST_BYTES = 1_000_000;

/** The text of a manifest: JSON on one line, its own hash last. A manifest has one text, so that a changed byte anywhere in it shows. */
export async function manifestText(step: number, files: Record<string, FileDigest>): Promise<string> {
  const ordered = Object.fromEntries(
    Object.keys(files)
      .sort()
      .map((name) => [name, { sizeBytes: files[name].sizeBytes, sha256: files[name].sha256 }]),
  );
  const body = { version: MANIFEST_VERSION, step, files: ordered } satisfies Manifest;
  const sha256 = await sha256Hex(new TextEncoder().encode(JSON.stringify(body)));
  return `${JSON.stringify({ ...body, sha256 })}\n`;
}

/** Bytes that the manifest of files of these sizes takes; hashes have one length, so it is known beforehand. */
export function manifestSize(step: number, sizes: Record<string, number>): number {
  const sha256 = '0'.repeat(64);
  const files = Object.fromEntries(Object.entries(sizes).map(([name, sizeBytes]) => [name, { sizeBytes, sha256 }]));
  const text = `${JSON.stringify({ version: MANIFEST_VERSION, step, files, sha256 } satisfies Manifest & { sha256: string })}\n`;
  return new TextEncoder().encode(text).length;
}

/**
 * Checks a manifest's own bytes against what it says.
 * @throws AppError `storage/damaged` naming `file`; `format/unsupported` for a manifest of a later version.
 */
export async function parseManifest(file: string, bytes: Uint8Array): Promise<Manifest> {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    throw damagedError(file, `${bytes.byteLength} bytes`, `a manifest of at most ${MAX_MANIFEST_BYTES} bytes`);
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damagedError(file, `${bytes.byteLength} bytes that are no JSON`, 'a manifest');
  }
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  const asOurs = { ...(value as object), version: MANIFEST_VERSION };
  const isOurs = isManifest(asOurs) && (await manifestText(asOurs.step, asOurs.files)) === text.replace(/\d+/, String(MANIFEST_VERSION));
  // The version is the first number. Where all but it is as we write it, it is the version that was spoilt.
  if (!isOurs && Number.isInteger(version) && (version as number) > MANIFEST_VERSION) {
    const message = `${file}: version ${version as number} was found, version ${MANIFEST_VERSION} was expected; a later Loratory wrote it`;
    throw new AppError('format/unsupported', message, { file, found: version as number, expected: MANIFEST_VERSION });
  }
  if (!isOurs || version !== MANIFEST_VERSION) throw damagedError(file, 'a manifest that does not have its own hash', 'one that has');
  return { version, step: asOurs.step, files: asOurs.files };
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== 'object' || value === null) return false;
  const { version, step, files } = value as Partial<Record<keyof Manifest, unknown>>;
  if (version !== MANIFEST_VERSION || !Number.isSafeInteger(step) || typeof files !== 'object' || files === null) return false;
  return Object.values(files as Record<string, unknown>).every((entry) => {
    const { sizeBytes, sha256 } = (entry ?? {}) as Partial<Record<keyof FileDigest, unknown>>;
    return Number.isSafeInteger(sizeBytes) && typeof sha256 === 'string' && HASH.test(sha256);
  });
}
