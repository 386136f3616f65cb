import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { readGguf } from '#formats/gguf.ts';
import { countingSource, MUTATIONS, readMutations } from '#formats/mutations.ts';

// Written by reference/gguf_files.py with the gguf package.
const values = new Uint8Array(readFileSync(new URL('fixtures/values.gguf', import.meta.url)));
const tinyLlama = new Uint8Array(readFileSync(new URL('fixtures/tiny-llama.gguf', import.meta.url)));
const expected = JSON.parse(readFileSync(new URL('fixtures/gguf-files.json', import.meta.url), 'utf8')) as {
  metadata: Record<string, unknown>;
};

const encoder = new TextEncoder();
const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number | bigint) => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => [u64(encoder.encode(value).length), encoder.encode(value)];
const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

const [UINT8, UINT32, BOOL, STRING, ARRAY] = [0, 4, 7, 8, 9];
const header = (tensors: number | bigint, entries: number | bigint, version = 3) => [
  encoder.encode('GGUF'),
  u32(version),
  u64(tensors),
  u64(entries),
];
const info = (name: string, shape: number[], type: number, offset: number) => [
  ...text(name),
  u32(shape.length),
  ...shape.map(u64),
  u32(type),
  u64(offset),
];
/** A file of tensors without metadata, its data of so many bytes after the padding. */
function tensorFile(infos: Uint8Array[][], dataBytes: number): Uint8Array {
  const head = join(...header(infos.length, 0), ...infos.flat());
  return join(head, new Uint8Array(Math.ceil(head.length / 32) * 32 - head.length + dataBytes));
}
const entryFile = (...entry: Uint8Array[]) => join(...header(0, 1), ...entry);

async function failure(bytes: Uint8Array): Promise<AppError> {
  const error: unknown = await readGguf(memorySource('m.gguf', bytes)).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, (item) => plain(shorten(item)));
  return value;
}
/** The fixture writes 64-bit integers up to 2^53 as numbers. */
const shorten = (item: number | bigint) => (typeof item === 'bigint' && item >= -(2n ** 53n) && item <= 2n ** 53n ? Number(item) : item);

describe('readGguf', () => {
  test('every type of metadata, alone and in a list', async () => {
    const { metadata, alignment, version } = await readGguf(memorySource('values.gguf', values));
    expect(version).toBe(3);
    expect(alignment).toBe(64);
    const found = Object.fromEntries([...metadata].map(([key, value]) => [key, plain(value)]));
    // -(2^53) is past the safe integers, so it stays a bigint alone.
    expect(found['one.int64']).toBe(String(-(2n ** 53n)));
    expect({ ...found, 'one.int64': -(2 ** 53) }).toEqual(expected.metadata);
    expect(metadata.get('list.float32')).toBeInstanceOf(Float32Array);
  });

  test('tensors: shapes slowest axis first, ranges, types that are not opened', async () => {
    const { tensors } = await readGguf(memorySource('values.gguf', values));
    const a = tensors.get('a');
    expect(a).toMatchObject({ shape: [2, 3], type: { name: 'F32' } });
    expect(Array.from(new Float32Array(values.slice(a?.start, a?.end).buffer))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(tensors.get('b')).toMatchObject({ shape: [1, 256], type: { name: 'Q4_K' } });
  });

  test('version 2 has the same layout', async () => {
    const old = values.slice();
    old[4] = 2;
    expect((await readGguf(memorySource('old', old))).metadata).toEqual((await readGguf(memorySource('new', values))).metadata);
  });

  test('arrays of arrays', async () => {
    const inner = [u32(UINT8), u64(2), Uint8Array.of(1, 2)];
    const { metadata } = await readGguf(memorySource('m', entryFile(...text('k'), u32(ARRAY), u32(ARRAY), u64(2), ...inner, ...inner)));
    expect(metadata.get('k')).toEqual([Uint8Array.of(1, 2), Uint8Array.of(1, 2)]);
  });

  test('a header longer than the window, read in few reads', async () => {
    const words = new Uint8Array(Buffer.concat(Array.from({ length: 150_000 }, (_, i) => join(...text(`token ${i}`)))));
    const bytes = entryFile(...text('tokens'), u32(ARRAY), u32(STRING), u64(150_000), words);
    const source = countingSource('long', bytes);
    const tokens = (await readGguf(source)).metadata.get('tokens') as string[];
    expect(tokens[149_999]).toBe('token 149999');
    expect(bytes.length).toBeGreaterThan(2 * 1_048_576);
    expect(source.bytesRead).toBeLessThan(bytes.length + 1000);
    expect(source.largestRead).toBeLessThanOrEqual(1_048_576);
  });

  test.each<[string, Uint8Array, string, string]>([
    ['nothing', new Uint8Array(0), 'format/truncated', 'the GGUF header at byte 0 needs 8 bytes, the file ends at 0'],
    ['another format', encoder.encode('PK\u0003\u0004 and more'), 'format/invalid', '0x04034b50'],
    ['version 1', join(...header(0, 0, 1)), 'format/unsupported', 'GGUF version 1'],
    ['big-endian', join(...header(0, 0, 0x03000000)), 'format/unsupported', 'big-endian'],
    ['a count of 2^63 tensors', join(...header(2n ** 63n, 0)), 'format/invalid', 'the number of tensors: 9223372036854775808'],
    ['a count of entries', join(...header(0, 65_537)), 'format/invalid', 'at most 65536'],
    ['entries that are not there', join(...header(0, 9)), 'format/truncated', 'the length of metadata key 0'],
    ['a long key', entryFile(u64(65_536)), 'format/invalid', 'at most 65535'],
    ['a key of a gigabyte', entryFile(u64(2 ** 30)), 'format/invalid', '1073741824'],
    ['a string past the end', entryFile(...text('k'), u32(STRING), u64(1000)), 'format/truncated', 'k at byte'],
    ['a string of a gigabyte', entryFile(...text('k'), u32(STRING), u64(2 ** 30)), 'format/invalid', 'the length of k: 1073741824'],
    ['a value type 13', entryFile(...text('k'), u32(13)), 'format/invalid', 'the value type 13'],
    ['an element type 13', entryFile(...text('k'), u32(ARRAY), u32(13), u64(0)), 'format/invalid', 'the element type 13'],
    ['a boolean 2', entryFile(...text('k'), u32(BOOL), Uint8Array.of(2)), 'format/invalid', 'the boolean 2'],
    ['too many elements', entryFile(...text('k'), u32(ARRAY), u32(UINT8), u64(2 ** 40)), 'format/invalid', 'at most 4194304'],
    [
      'elements that are not there',
      entryFile(...text('k'), u32(ARRAY), u32(STRING), u64(4_000_000)),
      'format/truncated',
      'need 32000000 bytes',
    ],
    [
      'deep arrays',
      entryFile(...text('k'), u32(ARRAY), ...Array.from({ length: 5 }, () => [u32(ARRAY), u64(1)]).flat(), new Uint8Array(9)),
      'format/invalid',
      'nested deeper than 4',
    ],
    [
      'a key that is not UTF-8',
      entryFile(u64(1), Uint8Array.of(0xff), u32(BOOL), Uint8Array.of(1)),
      'format/invalid',
      'metadata key 0 at byte 32',
    ],
    [
      'a key twice',
      join(...header(0, 2), ...text('k'), u32(BOOL), Uint8Array.of(1), ...text('k'), u32(BOOL), Uint8Array.of(1)),
      'format/invalid',
      'the metadata key k was found twice',
    ],
    ['an alignment of 48', entryFile(...text('general.alignment'), u32(UINT32), u32(48)), 'format/invalid', 'general.alignment 48'],
    ['an alignment of 0', entryFile(...text('general.alignment'), u32(UINT32), u32(0)), 'format/invalid', 'general.alignment 0'],
    ['a tensor twice', tensorFile([info('a', [1], 0, 0), info('a', [1], 0, 32)], 36), 'format/invalid', 'the tensor a was found twice'],
    ['five dimensions', tensorFile([info('a', [1, 1, 1, 1, 1], 0, 0)], 4), 'format/invalid', 'tensor a: 5 dimensions'],
    ['an unknown tensor type', tensorFile([info('a', [1], 99, 0)], 4), 'format/unsupported', 'tensor a: the tensor type number 99'],
    ['a broken block', tensorFile([info('a', [33], 2, 0)], 36), 'format/invalid', 'tensor a: rows of 33'],
    ['an offset off the alignment', tensorFile([info('a', [1], 0, 4)], 8), 'format/invalid', 'the offset 4 was found, a multiple of 32'],
    ['a shape past 2^53', tensorFile([info('a', [2 ** 30, 2 ** 30], 0, 0)], 4), 'format/invalid', 'more elements than a file can hold'],
    ['an offset past 2^53', join(...header(1, 0), ...text('a'), u32(0), u32(0), u64(2n ** 63n)), 'format/invalid', 'the offset'],
    ['a tensor past the end', tensorFile([info('a', [9], 0, 0)], 32), 'format/truncated', 'tensor a ends at byte'],
    ['tensors that overlap', tensorFile([info('a', [16], 0, 0), info('b', [1], 0, 32)], 64), 'format/invalid', 'tensor b starts at byte'],
  ])('%s', async (_, bytes, code, message) => {
    const error = await failure(bytes);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
    expect(error.message).toContain('m.gguf: ');
  });

  test(`${MUTATIONS} damaged copies`, { timeout: 60_000 + 2 * MUTATIONS }, async () => {
    const outcome = await readMutations('values.gguf', values, readGguf);
    expect(outcome.values).toBeGreaterThan(0);
    expect(outcome.errors.get('format/invalid')).toBeGreaterThan(MUTATIONS / 20);
    expect(outcome.errors.get('format/truncated')).toBeGreaterThan(MUTATIONS / 20);
    expect(outcome.errors.get('format/unsupported')).toBeGreaterThan(0);
    // One window holds the file; a lying length is refused before it is read.
    expect(outcome.readRatio).toBeLessThanOrEqual(1);
    expect(outcome.slowestMs).toBeLessThan(1000);
  });

  test(`${MUTATIONS} copies damaged in the header of a model`, { timeout: 60_000 + 5 * MUTATIONS }, async () => {
    const { tensors } = await readGguf(memorySource('tiny', tinyLlama));
    const dataStart = Math.min(...[...tensors.values()].map(({ start }) => start));
    const outcome = await readMutations('tiny-llama.gguf', tinyLlama, readGguf, dataStart);
    expect(outcome.errors.get('format/invalid')).toBeGreaterThan(MUTATIONS / 20);
    expect(outcome.readRatio).toBeLessThanOrEqual(1);
    expect(outcome.slowestMs).toBeLessThan(1000);
  });
});
