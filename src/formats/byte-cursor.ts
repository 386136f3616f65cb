/** Little-endian values one after another out of a ByteSource, through a window. Knows no format. */
import { AppError } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';

/** One read serves many small values; large enough that a 2 MB header is two reads over HTTP. */
const WINDOW_BYTES = 1_048_576;

/** Reads are synchronous once `need` has made sure of their bytes. */
export class ByteCursor {
  readonly #source: ByteSource;
  readonly #limitBytes: number;
  #windowStart = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Position inside the window. */
  #at = 0;

  /** @param limitBytes the position that the cursor never passes, whatever the file claims. */
  constructor(source: ByteSource, limitBytes: number) {
    this.#source = source;
    this.#limitBytes = limitBytes;
  }

  /** Position in the source. */
  get offset(): number {
    return this.#windowStart + this.#at;
  }

  /** Bytes between the cursor and the end of the source. */
  get remaining(): number {
    return this.#source.sizeBytes - this.offset;
  }

  /** True when the next `count` bytes can be read without waiting. */
  has(count: number): boolean {
    return this.#at + count <= this.#view.byteLength;
  }

  /**
   * Makes the next `count` bytes readable.
   * @throws AppError `format/truncated` when the source ends before them, `format/invalid` past the limit; `what` is named.
   */
  async need(count: number, what: string): Promise<void> {
    if (this.has(count)) return;
    const { name, sizeBytes } = this.#source;
    const start = this.offset;
    const details = { file: name, found: sizeBytes, expected: start + count };
    if (count > sizeBytes - start) {
      throw new AppError(
        'format/truncated',
        `${name}: ${what} at byte ${start} needs ${count} bytes, the file ends at ${sizeBytes}`,
        details,
      );
    }
    if (start + count > this.#limitBytes) {
      throw new AppError('format/invalid', `${name}: ${what} passes byte ${this.#limitBytes}, where a header was expected to end`, details);
    }
    const bytes = await this.#source.read(start, Math.min(sizeBytes, start + Math.max(count, WINDOW_BYTES)));
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#windowStart = start;
    this.#at = 0;
  }

  #advance(count: number): number {
    const at = this.#at;
    this.#at += count;
    return at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  int8(): number {
    return this.#view.getInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int16(): number {
    return this.#view.getInt16(this.#advance(2), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#advance(8), true);
  }

  float32(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** The next bytes, as a view into the window: valid until the next `need`. */
  bytes(count: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#advance(count), count);
  }
}
