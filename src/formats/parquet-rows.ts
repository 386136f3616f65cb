/** Rows of a Parquet file by range, decoded by hyparquet, which is loaded when a file first needs it. Knows no dataset. */
import type { AsyncBuffer, Compressors, FileMetaData, ParquetParsers } from 'hyparquet';
import { type ByteSource, memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import type { JsonValue } from '#formats/json-text.ts';
import type { ChunkPlace } from '#formats/parquet-pages.ts';

export interface ParquetRows {
  columns: string[];
  rowCount: number;
  rows(start: number, end: number): Promise<Record<string, JsonValue>[]>;
}

/**
 * Bytes of values, as the file counts them, that are decoded and kept at once. A part of a row group costs as much as the whole where
 * columns are nested, as those of messages are.
 */
const WINDOW_BYTES = 134_217_728;
/** The compressed bytes of a row group. */
const MAX_GROUP_BYTES = 1_073_741_824;
const MAX_ROWS = 20_000_000;

interface Window {
  start: number;
  end: number;
  group: number;
}

/**
 * Opens a Parquet file: its footer is read and checked, and the first rows. Windows of rows are decoded when they are asked for, one is kept.
 * Whole numbers past 2^53 are texts, dates and times ISO 8601, bytes that are no text `<n bytes>`, what has no value is null.
 * @throws AppError `data/invalid` naming the file and what was found in it.
 */
export async function openParquet(source: ByteSource): Promise<ParquetRows> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import('hyparquet');
  const { chunkPlaces, checkPages } = await import('#formats/parquet-pages.ts');
  const compressors = await loadCompressors();
  const { name } = source;
  const { metadata, columns, places } = await told(name, 'its footer', async () => {
    const read = await parquetMetadataAsync(bufferOf(source), { geoparquet: false });
    const tree = parquetSchema(read);
    return { metadata: read, columns: tree.children.map(({ element }) => element.name), places: chunkPlaces(read, source.sizeBytes) };
  });
  const windows = windowsOf(metadata);
  const rowCount = windows.at(-1)?.end ?? 0;
  if (!(rowCount <= MAX_ROWS && BigInt(rowCount) === metadata.num_rows)) {
    throw invalid(
      name,
      `${metadata.num_rows} rows were found in the footer and ${rowCount} in its row groups, at most ${MAX_ROWS} were expected`,
    );
  }
  const repeated = columns.find((column, i) => columns.indexOf(column) !== i);
  if (repeated !== undefined) throw invalid(name, `the column ${repeated} was found twice`);

  let kept: { window: Window; rows: Record<string, JsonValue>[] } | null = null;
  const decoded = async (window: Window): Promise<Record<string, JsonValue>[]> => {
    if (kept?.window !== window) {
      const rows = await told(name, `row group ${window.group + 1}`, async () => {
        const file = await groupBuffer(
          source,
          places.filter(({ group }) => group === window.group),
          (bytes, place) => checkPages(bytes, place, compressors),
        );
        const options = { file, metadata, compressors, parsers: PARSERS, utf8: false, geoparquet: false };
        const objects = await parquetReadObjects({ ...options, rowStart: window.start, rowEnd: window.end });
        return objects.map((row) => jsonOf(row) as Record<string, JsonValue>);
      });
      if (rows.length !== window.end - window.start) {
        throw invalid(name, `row group ${window.group + 1} gives ${rows.length} rows, ${window.end - window.start} were expected`);
      }
      kept = { window, rows };
    }
    return kept.rows;
  };
  if (windows[0] !== undefined) await decoded(windows[0]);
  return {
    columns,
    rowCount,
    async rows(start, end) {
      const out: Record<string, JsonValue>[] = [];
      for (const window of windows) {
        if (start >= end || window.end <= start || window.start >= end) continue;
        const rows = await decoded(window);
        for (let row = Math.max(start, window.start); row < Math.min(end, window.end); row++) out.push(rows[row - window.start]);
      }
      return out;
    },
  };
}

/** Row groups, large ones in parts, none of them past what is decoded at once. */
function windowsOf({ row_groups }: FileMetaData): Window[] {
  const windows: Window[] = [];
  let first = 0;
  for (const [group, { num_rows, total_byte_size }] of row_groups.entries()) {
    const rows = Number(num_rows);
    const parts = Math.max(1, Math.ceil(Number(total_byte_size) / WINDOW_BYTES));
    const step = Math.max(1, Math.ceil(rows / parts));
    for (let at = 0; at < rows; at += step) windows.push({ start: first + at, end: first + Math.min(rows, at + step), group });
    first += rows;
  }
  return windows;
}

/** Snappy is hyparquet's own: the other package's is WebAssembly, which a strict content policy refuses. */
async function loadCompressors(): Promise<Compressors> {
  const { decompressBrotli, decompressGzip, decompressLz4, decompressLz4Raw, decompressZstd } = await import('hyparquet-compressors');
  return {
    GZIP: decompressGzip,
    BROTLI: decompressBrotli,
    ZSTD: (input, length) => decompressZstd(input, new Uint8Array(length)),
    // A page without bytes is one token, which the decoder takes for a match.
    LZ4: (input, length) => (length === 0 ? new Uint8Array(0) : decompressLz4(input, length)),
    LZ4_RAW: (input, length) => (length === 0 ? new Uint8Array(0) : decompressLz4Raw(input, length)),
  };
}

function bufferOf(source: ByteSource): AsyncBuffer {
  return {
    byteLength: source.sizeBytes,
    async slice(start, end = source.sizeBytes) {
      const bytes = await source.read(start, end);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    },
  };
}

/** The bytes of a row group's chunks, read at once and their pages checked. */
async function groupBuffer(
  source: ByteSource,
  places: readonly ChunkPlace[],
  check: (bytes: Uint8Array, place: ChunkPlace) => void,
): Promise<AsyncBuffer> {
  const first = Math.min(...places.map(({ start }) => start));
  const last = Math.max(...places.map(({ end }) => end));
  if (!(last - first <= MAX_GROUP_BYTES)) throw new Error(`it has ${last - first} bytes, at most ${MAX_GROUP_BYTES} were expected`);
  const bytes = await source.read(first, last);
  for (const place of places) check(bytes.subarray(place.start - first, place.end - first), place);
  const own = bufferOf(memorySource(source.name, bytes));
  return {
    byteLength: source.sizeBytes,
    slice: (start, end = source.sizeBytes) => own.slice(start - first, end - first),
  };
}

const PARSERS: Partial<ParquetParsers> = {
  dateFromDays: (days: number | undefined) => (days === undefined ? undefined : new Date(days * 86_400_000).toISOString().slice(0, 10)),
  timestampFromMilliseconds: (millis: bigint | undefined) => timeText(millis, 1n),
  timestampFromMicroseconds: (micros: bigint | undefined) => timeText(micros, 1000n),
  timestampFromNanoseconds: (nanos: bigint | undefined) => timeText(nanos, 1_000_000n),
};

function timeText(count: bigint | undefined, perMillisecond: bigint): string | undefined {
  return count === undefined ? undefined : new Date(Number(count / perMillisecond)).toISOString();
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function jsonOf(value: unknown): JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : null;
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'object':
      if (value === null) return null;
      if (value instanceof Uint8Array) return bytesText(value);
      if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, jsonOf);
      if (Array.isArray(value)) return value.map(jsonOf);
      if (value instanceof Date) return value.toISOString();
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner)]));
    default:
      return null;
  }
}

/** Old writers do not say which byte arrays are texts. */
function bytesText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return `<${bytes.length} bytes>`;
  }
}

function invalid(name: string, what: string, cause?: unknown): AppError {
  return new AppError('data/invalid', `${name}: ${what}`, { file: name, found: what, expected: 'a whole Parquet file' }, cause);
}

/** What hyparquet throws, as an error that names the file. */
async function told<T>(name: string, part: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(name, `${part} cannot be read as Parquet: ${reason}`, error);
  }
}
