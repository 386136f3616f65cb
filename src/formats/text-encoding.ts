/** Text files in UTF-8 or, by their byte-order mark, UTF-16. Knows no format. */
import { AppError } from '#base/errors.ts';
import { memorySource, type ByteSource } from '#base/bytes.ts';

/** UTF-16 is turned into UTF-8 in memory; spreadsheets that write it do not write more. */
const MAX_UTF16_BYTES = 268_435_456;

/** A source in UTF-8; `start` is past the byte-order mark. */
export interface Utf8Source {
  source: ByteSource;
  start: number;
}

// A mark in the middle of a file is a character like any other; the one at its start is skipped by `start`.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Index of the first byte that does not belong to a whole, valid character. `bytes` have one. */
function firstInvalidByte(bytes: Uint8Array, encoding: string): number {
  const decodes = (length: number, stream: boolean): boolean => {
    try {
      new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, length), { stream });
      return true;
    } catch {
      return false;
    }
  };
  // The longest prefix that could still go on well, then back to the start of its unfinished character.
  let [good, bad] = [0, bytes.length + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (middle <= bytes.length && decodes(middle, true)) good = middle;
    else bad = middle;
  }
  while (!decodes(good, false)) good--;
  return good;
}

/**
 * Bytes at `offset` of a source as text.
 * @throws AppError `data/invalid` naming the byte that is not UTF-8.
 */
export function decodeUtf8(source: ByteSource, bytes: Uint8Array, offset: number): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    const at = firstInvalidByte(bytes, 'utf-8');
    const found = `0x${bytes[at].toString(16).padStart(2, '0')}`;
    throw new AppError(
      'data/invalid',
      `${source.name}: byte ${offset + at} (${found}) is not UTF-8`,
      { file: source.name, start: offset + at, found, expected: 'UTF-8, or UTF-16 with a byte-order mark' },
      error,
    );
  }
}

/** The source as UTF-8: itself, or a copy in memory when a byte-order mark says that it is UTF-16. */
export async function utf8Source(source: ByteSource): Promise<Utf8Source> {
  const mark = await source.read(0, Math.min(3, source.sizeBytes));
  if (mark[0] === 0xef && mark[1] === 0xbb && mark[2] === 0xbf) return { source, start: 3 };
  const encoding = mark[0] === 0xff && mark[1] === 0xfe ? 'utf-16le' : mark[0] === 0xfe && mark[1] === 0xff ? 'utf-16be' : null;
  if (encoding === null) return { source, start: 0 };
  const { name, sizeBytes } = source;
  if (sizeBytes > MAX_UTF16_BYTES) {
    throw new AppError('data/invalid', `${name}: ${sizeBytes} bytes of UTF-16 were found, at most ${MAX_UTF16_BYTES} were expected`, {
      file: name,
      found: sizeBytes,
      expected: MAX_UTF16_BYTES,
    });
  }
  const bytes = await source.read(2, sizeBytes);
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const at = 2 + firstInvalidByte(bytes, encoding);
    throw new AppError('data/invalid', `${name}: byte ${at} is not ${encoding.toUpperCase()}`, { file: name, start: at }, error);
  }
  return { source: memorySource(name, new TextEncoder().encode(text)), start: 0 };
}
