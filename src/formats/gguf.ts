/** The GGUF format, versions 2 and 3: metadata and tensor infos, checked against the file. Knows no architecture. */
import { AppError, type ErrorCode, type ErrorDetails } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';
import { ByteCursor } from '#formats/byte-cursor.ts';
import {
  DEFAULT_ALIGNMENT,
  GGML_TYPES,
  MAX_ARRAY_DEPTH,
  MAX_ARRAY_ELEMENTS,
  MAX_DIMENSIONS,
  MAX_HEADER_BYTES,
  MAX_KEY_BYTES,
  MAX_METADATA_ENTRIES,
  MAX_NAME_BYTES,
  MAX_STRING_BYTES,
  MAX_TENSORS,
  VALUE_BYTES,
  ValueType,
  type GgmlType,
} from '#formats/gguf-types.ts';

/** Arrays of numbers are typed arrays; arrays of strings, booleans and arrays are plain. 64-bit integers are numbers where exact. */
export type GgufArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array
  | string[]
  | boolean[]
  | GgufArray[];
export type GgufValue = number | bigint | boolean | string | GgufArray;

export interface GgufTensor {
  name: string;
  type: GgmlType;
  /** Slowest axis first, as in PyTorch: `[rows, columns]`. The file stores the reverse. */
  shape: number[];
  /** The tensor's bytes are `[start, end)` of the source. */
  start: number;
  end: number;
}

export interface GgufFile {
  source: ByteSource;
  version: number;
  alignment: number;
  metadata: Map<string, GgufValue>;
  /** In the file's order. */
  tensors: Map<string, GgufTensor>;
}

const MAGIC = 0x46554747; // "GGUF"
const NUMBER_ARRAYS = new Map<number, new (buffer: ArrayBuffer) => GgufArray>([
  [ValueType.uint8, Uint8Array],
  [ValueType.int8, Int8Array],
  [ValueType.uint16, Uint16Array],
  [ValueType.int16, Int16Array],
  [ValueType.uint32, Uint32Array],
  [ValueType.int32, Int32Array],
  [ValueType.float32, Float32Array],
  [ValueType.uint64, BigUint64Array],
  [ValueType.int64, BigInt64Array],
  [ValueType.float64, Float64Array],
]);

// A byte-order mark is a token of its own in some vocabularies: it is kept.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class GgufReader {
  readonly #source: ByteSource;
  readonly #cursor: ByteCursor;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#cursor = new ByteCursor(source, MAX_HEADER_BYTES);
  }

  fail(code: ErrorCode, message: string, details: ErrorDetails = {}): AppError {
    return new AppError(code, `${this.#source.name}: ${message}`, { file: this.#source.name, ...details });
  }

  /** A count or length, not above its limit. */
  async #count(limit: number, what: string): Promise<number> {
    await this.#cursor.need(8, what);
    const count = this.#cursor.uint64();
    if (count > BigInt(limit)) {
      throw this.fail('format/invalid', `${what}: ${count} was found, at most ${limit} was expected`, {
        found: String(count),
        expected: limit,
      });
    }
    return Number(count);
  }

  async #string(limit: number, what: string): Promise<string> {
    const length = await this.#count(limit, `the length of ${what}`);
    await this.#cursor.need(length, what);
    const at = this.#cursor.offset;
    try {
      return decoder.decode(this.#cursor.bytes(length));
    } catch (error) {
      throw new AppError('format/invalid', `${this.#source.name}: ${what} at byte ${at} is not UTF-8`, { file: this.#source.name }, error);
    }
  }

  #boolean(what: string): boolean {
    const value = this.#cursor.uint8();
    if (value > 1) throw this.fail('format/invalid', `${what}: the boolean ${value} was found, 0 or 1 was expected`, { found: value });
    return value === 1;
  }

  async #value(type: number, what: string): Promise<GgufValue> {
    if (type === ValueType.string) return this.#string(MAX_STRING_BYTES, what);
    if (type === ValueType.array) return this.#array(what, 1);
    const cursor = this.#cursor;
    await cursor.need(VALUE_BYTES.get(type) ?? 0, what);
    switch (type) {
      case ValueType.uint8:
        return cursor.uint8();
      case ValueType.int8:
        return cursor.int8();
      case ValueType.uint16:
        return cursor.uint16();
      case ValueType.int16:
        return cursor.int16();
      case ValueType.uint32:
        return cursor.uint32();
      case ValueType.int32:
        return cursor.int32();
      case ValueType.float32:
        return cursor.float32();
      case ValueType.float64:
        return cursor.float64();
      case ValueType.bool:
        return this.#boolean(what);
      case ValueType.uint64:
      case ValueType.int64: {
        const value = type === ValueType.uint64 ? cursor.uint64() : cursor.int64();
        return Number.isSafeInteger(Number(value)) ? Number(value) : value;
      }
      default:
        throw this.fail('format/invalid', `${what}: the value type ${type} was found, 0 to 12 was expected`, { found: type });
    }
  }

  async #array(what: string, depth: number): Promise<GgufArray> {
    if (depth > MAX_ARRAY_DEPTH) throw this.fail('format/invalid', `${what}: arrays nested deeper than ${MAX_ARRAY_DEPTH} were found`);
    const cursor = this.#cursor;
    await cursor.need(4, what);
    const type = cursor.uint32();
    const length = await this.#count(MAX_ARRAY_ELEMENTS, `the length of ${what}`);
    // A string is at least its 8-byte length, an array its type and length: a lying count is refused before it allocates.
    const leastBytes = VALUE_BYTES.get(type) ?? (type === ValueType.array ? 12 : 8);
    if (length * leastBytes > cursor.remaining) {
      const message = `${what}: ${length} elements need ${length * leastBytes} bytes, ${cursor.remaining} are left in the file`;
      throw this.fail('format/truncated', message, { found: cursor.remaining, expected: length * leastBytes });
    }
    const Numbers = NUMBER_ARRAYS.get(type);
    if (Numbers) {
      await cursor.need(length * leastBytes, what);
      return new Numbers(cursor.bytes(length * leastBytes).slice().buffer);
    }
    if (type === ValueType.bool) {
      await cursor.need(length, what);
      return Array.from({ length }, () => this.#boolean(what));
    }
    if (type === ValueType.string) {
      const strings: string[] = [];
      for (let i = 0; i < length; i++) strings.push(await this.#string(MAX_STRING_BYTES, `${what}[${i}]`));
      return strings;
    }
    if (type === ValueType.array) {
      const arrays: GgufArray[] = [];
      for (let i = 0; i < length; i++) arrays.push(await this.#array(`${what}[${i}]`, depth + 1));
      return arrays;
    }
    throw this.fail('format/invalid', `${what}: the element type ${type} was found, 0 to 12 was expected`, { found: type });
  }

  /** Magic, version, number of tensors, number of metadata entries. */
  async header(): Promise<{ version: number; tensorCount: number; entryCount: number }> {
    await this.#cursor.need(8, 'the GGUF header');
    const magic = this.#cursor.uint32();
    if (magic !== MAGIC) {
      const found = `0x${magic.toString(16).padStart(8, '0')}`;
      throw this.fail('format/invalid', `the file starts with ${found}, "GGUF" (0x46554747) was expected`, { found });
    }
    const version = this.#cursor.uint32();
    if (version !== 2 && version !== 3) {
      const found = (version & 0xffff) === 0 && version !== 0 ? 'a big-endian GGUF' : `GGUF version ${version}`;
      throw this.fail('format/unsupported', `${found} was found, version 2 or 3 in little-endian was expected`, { found });
    }
    const tensorCount = await this.#count(MAX_TENSORS, 'the number of tensors');
    const entryCount = await this.#count(MAX_METADATA_ENTRIES, 'the number of metadata entries');
    return { version, tensorCount, entryCount };
  }

  async metadata(entryCount: number): Promise<Map<string, GgufValue>> {
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < entryCount; i++) {
      const key = await this.#string(MAX_KEY_BYTES, `metadata key ${i}`);
      const shown = key.slice(0, 100);
      if (metadata.has(key)) throw this.fail('format/invalid', `the metadata key ${shown} was found twice`, { found: shown });
      await this.#cursor.need(4, shown);
      metadata.set(key, await this.#value(this.#cursor.uint32(), shown));
    }
    return metadata;
  }

  /** One tensor info; `start` and `end` still count from the start of the data. */
  async tensor(index: number, alignment: number): Promise<GgufTensor> {
    const cursor = this.#cursor;
    const name = await this.#string(MAX_NAME_BYTES, `the name of tensor ${index}`);
    const fail = (code: ErrorCode, message: string, details: ErrorDetails = {}) =>
      this.fail(code, `tensor ${name}: ${message}`, { tensor: name, ...details });
    await cursor.need(4, `tensor ${name}`);
    const rank = cursor.uint32();
    if (rank > MAX_DIMENSIONS)
      throw fail('format/invalid', `${rank} dimensions were found, at most ${MAX_DIMENSIONS} were expected`, { found: rank });
    await cursor.need(8 * rank + 12, `tensor ${name}`);
    const dimensions = Array.from({ length: rank }, () => Number(cursor.uint64()));
    const typeId = cursor.uint32();
    const offset = Number(cursor.uint64());
    const type = GGML_TYPES.get(typeId);
    if (!type)
      throw fail('format/unsupported', `the tensor type number ${typeId} was found, which is none that ggml has`, { found: typeId });
    const row = dimensions[0] ?? 1;
    if (row % type.blockElements !== 0) {
      throw fail('format/invalid', `rows of ${row} were found, ${type.name} has blocks of ${type.blockElements}`, { found: row });
    }
    const elements = dimensions.reduce((product, length) => product * length, 1);
    const bytes = (elements / type.blockElements) * type.blockBytes;
    if (!dimensions.every(Number.isSafeInteger) || !Number.isSafeInteger(elements) || !Number.isSafeInteger(bytes)) {
      throw fail('format/invalid', `the shape [${dimensions.toReversed()}] has more elements than a file can hold`);
    }
    if (!Number.isSafeInteger(offset + bytes) || offset % alignment !== 0) {
      throw fail('format/invalid', `the offset ${offset} was found, a multiple of ${alignment} was expected`, { found: offset });
    }
    return { name, type, shape: dimensions.toReversed(), start: offset, end: offset + bytes };
  }

  /** Where the data starts: the end of the infos, aligned. */
  dataStart(alignment: number): number {
    return Math.ceil(this.#cursor.offset / alignment) * alignment;
  }
}

function readAlignment(reader: GgufReader, metadata: Map<string, GgufValue>): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== 'number' || alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
    throw reader.fail('format/invalid', `general.alignment ${String(alignment)} was found, a power of two was expected`);
  }
  return alignment;
}

function checkRanges(reader: GgufReader, source: ByteSource, tensors: readonly GgufTensor[]): void {
  let before: GgufTensor | undefined;
  for (const tensor of tensors.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const details = { tensor: tensor.name, found: source.sizeBytes, expected: tensor.end };
    if (tensor.end > source.sizeBytes) {
      throw reader.fail('format/truncated', `tensor ${tensor.name} ends at byte ${tensor.end}, the file has ${source.sizeBytes}`, details);
    }
    if (before && tensor.start < before.end) {
      throw reader.fail('format/invalid', `tensor ${tensor.name} starts at byte ${tensor.start}, inside ${before.name}`, {
        tensor: tensor.name,
      });
    }
    before = tensor;
  }
}

/**
 * Metadata and tensor infos; no tensor is read. A tensor of a type that cannot be opened as a weight is listed all the same.
 * @throws AppError `format/truncated`, `format/invalid`, `format/unsupported` naming the key or tensor, what was found and expected.
 * @source https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const reader = new GgufReader(source);
  const { version, tensorCount, entryCount } = await reader.header();
  const metadata = await reader.metadata(entryCount);
  const alignment = readAlignment(reader, metadata);
  const tensors = new Map<string, GgufTensor>();
  for (let i = 0; i < tensorCount; i++) {
    const tensor = await reader.tensor(i, alignment);
    if (tensors.has(tensor.name)) throw reader.fail('format/invalid', `the tensor ${tensor.name} was found twice`, { tensor: tensor.name });
    tensors.set(tensor.name, tensor);
  }
  const dataStart = reader.dataStart(alignment);
  for (const tensor of tensors.values()) {
    tensor.start += dataStart;
    tensor.end += dataStart;
  }
  checkRanges(reader, source, [...tensors.values()]);
  return { source, version, alignment, metadata, tensors };
}
