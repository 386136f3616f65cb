/** Small JSON files that carry their own hash, so that a changed byte anywhere in them shows. Knows nothing of what they say. */
import { AppError } from '#base/errors.ts';
import { damagedError, sha256Hex } from '#storage/file-store.ts';

/** A manifest of a model of 1 TB with a hash for each 16 MiB has under 5 MB. */
const MAX_BYTES = 16_000_000;

/** Plain JSON with the version of its form. */
export type Versioned = { version: number } & Record<string, unknown>;

/**
 * JSON on one line whose last field, `seal`, is the SHA-256 of the JSON without it. One value has one text: what differs in a byte was
 * changed. The seal stays the same in every version.
 */
export async function sealJson(body: object): Promise<Uint8Array> {
  const seal = await sha256Hex(new TextEncoder().encode(JSON.stringify(body)));
  return new TextEncoder().encode(`${JSON.stringify({ ...body, seal })}\n`);
}

/** The end of a sealed JSON, of whose last two bytes one may have been changed. No other place in one looks like it. */
const END = /\}\n$|"seal":"[0-9a-f]{64}"(?:\}[^]|[^]\n)$/;

/** Whether it was never written to its end, as a crash leaves it; one that was and was changed since is damaged. */
export function isCutOff(bytes: Uint8Array): boolean {
  return !END.test(new TextDecoder().decode(bytes.subarray(Math.max(0, bytes.byteLength - 100))));
}

/**
 * What a sealed JSON says.
 * @throws AppError `storage/damaged` naming `file`; `format/unsupported` for a whole one of another version.
 */
export async function openSealed(file: string, bytes: Uint8Array, version: number): Promise<Versioned> {
  if (bytes.byteLength > MAX_BYTES) throw damagedError(file, `${bytes.byteLength} bytes`, `at most ${MAX_BYTES} bytes of JSON`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  } catch {
    throw damagedError(file, `${bytes.byteLength} bytes that are no JSON`, 'JSON with its own hash');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damagedError(file, 'no object', 'JSON with its own hash');
  const { seal: _, ...body } = value as Record<string, unknown>;
  const expected = await sealJson(body);
  if (expected.byteLength !== bytes.byteLength || !expected.every((byte, i) => byte === bytes[i])) {
    throw damagedError(file, 'JSON that does not have its own hash', 'JSON that has');
  }
  if (body.version !== version) {
    const found = typeof body.version === 'number' ? body.version : 'none';
    const message = `${file}: version ${found} was found, version ${version} was expected; another Loratory wrote it`;
    throw new AppError('format/unsupported', message, { file, found: `version ${found}`, expected: `version ${version}` });
  }
  return body as Versioned;
}

/** A file that cannot be used, by its path in the store. */
export interface DamagedFile {
  path: string;
  found: string;
  expected: string;
}

/** What an error says of a file, for a list of what is damaged. */
export function damageOf(path: string, error: AppError): DamagedFile {
  const { file, found, expected } = error.details;
  return {
    path: typeof file === 'string' ? file : path,
    found: String(found ?? error.message),
    expected: String(expected ?? 'a file that can be read'),
  };
}

/** Whether an error says that a file is not as it was written, or is not there. */
export function isDamage(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'storage/damaged' || error.code === 'storage/not-found');
}
