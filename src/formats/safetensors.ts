/** The safetensors format: header checks by range, and a writer that makes what the Python library makes. Knows no model. */
import { AppError, invariant } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';
import { describeJson, parseJsonObject, type JsonValue } from '#formats/json-text.ts';

/** The reference library's own limit: headers of real checkpoints stay under 1 MB a thousand tensors. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
const METADATA_KEY = '__metadata__';

/**
 * Bits of one element, in the reference library's order, which is the order of its writer: later types come first in a file.
 * @source safetensors/src/tensor.rs, `enum Dtype`
 */
const DTYPE_BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;
export type SafetensorsDtype = keyof typeof DTYPE_BITS;
const DTYPES = Object.keys(DTYPE_BITS) as SafetensorsDtype[];

export interface SafetensorsInfo {
  name: string;
  dtype: SafetensorsDtype;
  shape: number[];
}

/** A tensor in a file: its bytes are `[start, end)` of the source, row-major and little-endian. */
export interface SafetensorsTensor extends SafetensorsInfo {
  start: number;
  end: number;
}

export interface SafetensorsFile {
  source: ByteSource;
  /** The strings under `__metadata__`, such as `format: pt`. */
  metadata: Map<string, string>;
  /** In the order of their bytes. */
  tensors: Map<string, SafetensorsTensor>;
}

/** Bytes of a tensor, or null when a count is not a whole number, is negative, or passes what a file can hold. */
function tensorBytes(dtype: SafetensorsDtype, shape: readonly number[]): number | null {
  let bits: number = DTYPE_BITS[dtype];
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) return null;
    bits *= length;
    if (!Number.isSafeInteger(bits)) return null;
  }
  return bits % 8 === 0 ? bits / 8 : null;
}

function invalid(source: ByteSource, message: string, details: Record<string, string | number> = {}): AppError {
  return new AppError('format/invalid', `${source.name}: ${message}`, { file: source.name, ...details });
}

/** One header entry, checked by itself: types, the byte count of its shape. Offsets become positions in the file. */
function parseEntry(source: ByteSource, name: string, entry: JsonValue, dataStart: number): SafetensorsTensor {
  const fail = (what: string, found: JsonValue | undefined, expected: string) =>
    invalid(source, `tensor ${name}: ${what} is ${describeJson(found)}, ${expected} was expected`, { tensor: name, expected });
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw fail('its entry', entry, 'an object');
  for (const key of Object.keys(entry)) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') {
      throw invalid(source, `tensor ${name}: the unknown field ${JSON.stringify(key)} was found`, { tensor: name, found: key });
    }
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BITS, dtype)) throw fail('dtype', dtype, `one of ${DTYPES.join(', ')}`);
  if (!Array.isArray(shape)) throw fail('shape', shape, 'an array of lengths');
  const bytes = tensorBytes(dtype as SafetensorsDtype, shape as number[]);
  if (bytes === null) {
    throw invalid(source, `tensor ${name}: shape ${JSON.stringify(shape).slice(0, 100)} of ${dtype} is no whole number of bytes`, {
      tensor: name,
    });
  }
  const [start, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as number[]) : [];
  if (start === undefined || end === undefined || !Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw fail('data_offsets', offsets, 'two rising byte offsets');
  }
  if (end - start !== bytes) {
    throw invalid(source, `tensor ${name}: ${end - start} bytes were found, ${JSON.stringify(shape)} of ${dtype} needs ${bytes}`, {
      tensor: name,
      found: end - start,
      expected: bytes,
    });
  }
  return { name, dtype: dtype as SafetensorsDtype, shape: shape as number[], start: dataStart + start, end: dataStart + end };
}

/** The tensors cover the data from its first byte to the end of the file, without gap or overlap, as the reference library demands. */
function checkCoverage(source: ByteSource, tensors: readonly SafetensorsTensor[], dataStart: number): void {
  let at = dataStart;
  for (const tensor of tensors) {
    if (tensor.end > source.sizeBytes) {
      throw new AppError(
        'format/truncated',
        `${source.name}: tensor ${tensor.name} ends at byte ${tensor.end}, the file has ${source.sizeBytes}`,
        {
          file: source.name,
          tensor: tensor.name,
          expected: tensor.end,
          found: source.sizeBytes,
        },
      );
    }
    if (tensor.start !== at) {
      const what = tensor.start < at ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw invalid(source, `tensor ${tensor.name} ${what}: it starts at byte ${tensor.start}, ${at} was expected`, {
        tensor: tensor.name,
        found: tensor.start,
        expected: at,
      });
    }
    at = tensor.end;
  }
  if (at !== source.sizeBytes) {
    throw invalid(source, `its tensors end at byte ${at}, the file has ${source.sizeBytes}`, { found: source.sizeBytes, expected: at });
  }
}

function parseMetadata(source: ByteSource, value: JsonValue | undefined): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined || value === null) return metadata;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw invalid(source, `${METADATA_KEY} is ${describeJson(value)}, an object of strings was expected`);
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw invalid(source, `${METADATA_KEY}.${key} is ${describeJson(text)}, a string was expected`);
    metadata.set(key, text);
  }
  return metadata;
}

/**
 * The header of a file, fully checked against the file's size; no tensor is read.
 * @throws AppError `format/truncated` or `format/invalid` naming the tensor, what was found and what was expected.
 */
export async function readSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  if (source.sizeBytes < LENGTH_BYTES) {
    throw new AppError(
      'format/truncated',
      `${source.name}: ${source.sizeBytes} bytes were found, a safetensors header needs ${LENGTH_BYTES}`,
      {
        file: source.name,
        found: source.sizeBytes,
        expected: LENGTH_BYTES,
      },
    );
  }
  const lengthBytes = await source.read(0, LENGTH_BYTES);
  const headerBytes = new DataView(lengthBytes.buffer, lengthBytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (headerBytes > BigInt(MAX_HEADER_BYTES)) {
    throw invalid(
      source,
      `a header of ${headerBytes} bytes was found, at most ${MAX_HEADER_BYTES} were expected: not a safetensors file?`,
      {
        found: String(headerBytes),
        expected: MAX_HEADER_BYTES,
      },
    );
  }
  const dataStart = LENGTH_BYTES + Number(headerBytes);
  if (dataStart > source.sizeBytes) {
    throw new AppError('format/truncated', `${source.name}: the header ends at byte ${dataStart}, the file has ${source.sizeBytes}`, {
      file: source.name,
      found: source.sizeBytes,
      expected: dataStart,
    });
  }
  const bytes = await source.read(LENGTH_BYTES, dataStart);
  if (bytes[0] !== 0x7b) throw invalid(source, `the header starts with byte ${bytes[0] ?? 'none'}, "{" (123) was expected`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new AppError('format/invalid', `${source.name}: the header is not UTF-8`, { file: source.name }, error);
  }
  const header = parseJsonObject(source.name, text, 'format/invalid');
  const tensors: SafetensorsTensor[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name !== METADATA_KEY) tensors.push(parseEntry(source, name, entry, dataStart));
  }
  // Empty tensors share their start with the one that follows them.
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  checkCoverage(source, tensors, dataStart);
  const metadata = Object.hasOwn(header, METADATA_KEY) ? header[METADATA_KEY] : undefined;
  return { source, metadata: parseMetadata(source, metadata), tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

/** Bytes of a tensor to be written; a stream gives them in pieces, so that a merged model is never whole in memory. */
export interface SafetensorsInput extends SafetensorsInfo {
  data: Uint8Array;
}
export interface SafetensorsStreamInput extends SafetensorsInfo {
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

const encoder = new TextEncoder();

/** Rust compares strings by their UTF-8 bytes, which is not JavaScript's order past U+FFFF. */
function compareUtf8(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)];
  const length = Math.min(x.length, y.length);
  for (let i = 0; i < length; i++) {
    if (x[i] !== y[i]) return x[i] - y[i];
  }
  return x.length - y.length;
}

/**
 * The order in a file (widest type first, then by name), the header with its length, and the size of the whole file.
 * @throws AppError `format/invalid` when two tensors share a name or a shape is no whole number of bytes.
 */
export function layoutSafetensors<T extends SafetensorsInfo>(
  tensors: readonly T[],
  metadata: Record<string, string> = {},
): { header: Uint8Array; ordered: { tensor: T; bytes: number }[]; sizeBytes: number } {
  const sorted = [...tensors].sort((a, b) => DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || compareUtf8(a.name, b.name));
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA_KEY, metadata]] : [];
  const ordered: { tensor: T; bytes: number }[] = [];
  const names = new Set<string>([METADATA_KEY]);
  let offset = 0;
  for (const tensor of sorted) {
    const { name, dtype, shape } = tensor;
    const bytes = tensorBytes(dtype, shape);
    if (names.has(name)) throw new AppError('format/invalid', `the tensor name ${name} was found twice, or is reserved`, { tensor: name });
    if (bytes === null) {
      throw new AppError('format/invalid', `tensor ${name}: [${shape}] of ${dtype} is no whole number of bytes`, { tensor: name });
    }
    names.add(name);
    entries.push([name, { dtype, shape, data_offsets: [offset, offset + bytes] }]);
    ordered.push({ tensor, bytes });
    offset += bytes;
  }
  // Written entry by entry: an object would move names that look like numbers to its front.
  const json = encoder.encode(`{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`);
  const padded = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const header = new Uint8Array(LENGTH_BYTES + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, LENGTH_BYTES);
  return { header, ordered, sizeBytes: header.length + offset };
}

/** A whole file in memory, equal byte for byte to `safetensors.serialize` of the same tensors. */
export function writeSafetensors(tensors: readonly SafetensorsInput[], metadata: Record<string, string> = {}): Uint8Array {
  const { header, ordered, sizeBytes } = layoutSafetensors(tensors, metadata);
  const out = new Uint8Array(sizeBytes);
  out.set(header);
  let at = header.length;
  for (const { tensor, bytes } of ordered) {
    invariant(
      tensor.data.byteLength === bytes,
      `tensor ${tensor.name}: ${tensor.data.byteLength} bytes were given, ${bytes} were expected`,
    );
    out.set(tensor.data, at);
    at += bytes;
  }
  return out;
}

/** The same file in pieces: the header, then each tensor's chunks. `layoutSafetensors` tells its size beforehand. */
export async function* streamSafetensors(
  tensors: readonly SafetensorsStreamInput[],
  metadata: Record<string, string> = {},
): AsyncGenerator<Uint8Array> {
  const { header, ordered } = layoutSafetensors(tensors, metadata);
  yield header;
  for (const { tensor, bytes } of ordered) {
    let written = 0;
    for await (const chunk of tensor.chunks()) {
      written += chunk.byteLength;
      yield chunk;
    }
    invariant(written === bytes, `tensor ${tensor.name}: ${written} bytes were given, ${bytes} were expected`);
  }
}
