/** Bytes that are read by range, whatever holds them. Imports errors alone. */
import { AppError } from '#base/errors.ts';

/** A file, a slice of memory or an HTTP range behind one interface. Nothing reads it whole unless it is small. */
export interface ByteSource {
  /** The name that errors tell the user. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Bytes of `[start, end)`. @throws AppError `format/truncated` when the range is not inside the source. */
  read(start: number, end: number): Promise<Uint8Array>;
}

export function checkRange(source: ByteSource, start: number, end: number): void {
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start && end <= source.sizeBytes)) {
    throw new AppError('format/truncated', `${source.name}: bytes ${start} to ${end} were expected, the file has ${source.sizeBytes}`, {
      file: source.name,
      start,
      end,
      found: source.sizeBytes,
    });
  }
}

/** A source over memory, for small files and tests. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    name,
    sizeBytes: bytes.byteLength,
    async read(start, end) {
      checkRange(source, start, end);
      return bytes.subarray(start, end);
    },
  };
  return source;
}

/** A source over a dropped File or a Blob; each read touches only its range. */
export function blobSource(name: string, blob: Blob): ByteSource {
  const source: ByteSource = {
    name,
    sizeBytes: blob.size,
    async read(start, end) {
      checkRange(source, start, end);
      return new Uint8Array(await blob.slice(start, end).arrayBuffer());
    },
  };
  return source;
}

/** The whole of a small file as text (UTF-8, a byte-order mark removed). `limitBytes` refuses what cannot be a small file. */
export async function readText(source: ByteSource, limitBytes: number): Promise<string> {
  if (source.sizeBytes > limitBytes) {
    throw new AppError('format/invalid', `${source.name}: ${source.sizeBytes} bytes were found, at most ${limitBytes} were expected`, {
      file: source.name,
      found: source.sizeBytes,
      expected: limitBytes,
    });
  }
  return new TextDecoder('utf-8').decode(await source.read(0, source.sizeBytes));
}
