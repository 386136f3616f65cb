/** Where each row of a text file lies, and lines and columns for errors. Knows bytes, no format. */
import { AppError } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';

/** A row is read and parsed whole. */
const MAX_ROW_BYTES = 67_108_864;
/** The index takes 16 bytes a row. */
const MAX_ROWS = 20_000_000;
const CHUNK_BYTES = 4_194_304;

/** The bytes of a source from `start` on, a few megabytes at a time. */
export async function* chunksOf(source: ByteSource, start: number): AsyncGenerator<{ bytes: Uint8Array; offset: number }> {
  for (let offset = start; offset < source.sizeBytes; offset += CHUNK_BYTES) {
    yield { bytes: await source.read(offset, Math.min(source.sizeBytes, offset + CHUNK_BYTES)), offset };
  }
}

/** Byte ranges `[start, end)` of rows, in order. */
export class RowIndex {
  readonly #source: ByteSource;
  #ranges = new Float64Array(1024);
  #length = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get length(): number {
    return this.#length;
  }

  /** @throws AppError `data/invalid` past the largest row or the number of rows that can be held. */
  push(start: number, end: number): void {
    const { name } = this.#source;
    if (end - start > MAX_ROW_BYTES) {
      const message = `${name}: row ${this.#length + 1} at byte ${start} has ${end - start} bytes, at most ${MAX_ROW_BYTES} were expected`;
      throw new AppError('data/invalid', message, { file: name, row: this.#length + 1, found: end - start, expected: MAX_ROW_BYTES });
    }
    if (this.#length === MAX_ROWS) {
      throw new AppError('data/invalid', `${name}: more than ${MAX_ROWS} rows were found`, { file: name, expected: MAX_ROWS });
    }
    if (2 * this.#length === this.#ranges.length) {
      const grown = new Float64Array(2 * this.#ranges.length);
      grown.set(this.#ranges);
      this.#ranges = grown;
    }
    this.#ranges[2 * this.#length] = start;
    this.#ranges[2 * this.#length + 1] = end;
    this.#length++;
  }

  start(row: number): number {
    return this.#ranges[2 * row];
  }

  end(row: number): number {
    return this.#ranges[2 * row + 1];
  }

  /** The index without its first row. */
  withoutFirst(): RowIndex {
    const rest = new RowIndex(this.#source);
    rest.#ranges = this.#ranges.slice(2);
    rest.#length = this.#length - 1;
    return rest;
  }
}

/** Line and column of a byte, both from 1; a column counts characters. Reads the file up to there: for errors alone. */
export async function locate(
  { source, start }: { source: ByteSource; start: number },
  offset: number,
): Promise<{ line: number; column: number }> {
  let [line, lineStart] = [1, start];
  for await (const { bytes, offset: at } of chunksOf(source, start)) {
    for (let i = bytes.indexOf(10); i >= 0 && at + i < offset; i = bytes.indexOf(10, i + 1)) {
      line++;
      lineStart = at + i + 1;
    }
    if (at + bytes.length >= offset) break;
  }
  let column = 1;
  for await (const { bytes, offset: at } of chunksOf(source, lineStart)) {
    // Bytes 10xxxxxx go on with a character that has been counted.
    for (let i = 0; i < bytes.length && at + i < offset; i++) if ((bytes[i] & 0xc0) !== 0x80) column++;
    if (at + bytes.length >= offset) break;
  }
  return { line, column };
}
