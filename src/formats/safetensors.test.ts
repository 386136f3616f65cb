import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { countingSource, MUTATIONS, readMutations } from '#formats/mutations.ts';
import { layoutSafetensors, readSafetensors, streamSafetensors, writeSafetensors, type SafetensorsInput } from '#formats/safetensors.ts';

// Written by reference/safetensors_file.py with the safetensors package.
const layout = new Uint8Array(readFileSync(new URL('fixtures/layout.safetensors', import.meta.url)));

function fileOf(header: string, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

const entry = (name: string, start: number, end: number, shape: number[], dtype = 'F32') =>
  `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${start},${end}]}`;

async function failure(bytes: Uint8Array): Promise<AppError> {
  const error: unknown = await readSafetensors(memorySource('m.safetensors', bytes)).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

async function inputsOf(bytes: Uint8Array): Promise<SafetensorsInput[]> {
  const { tensors } = await readSafetensors(memorySource('layout', bytes));
  return [...tensors.values()].map(({ name, dtype, shape, start, end }) => ({ name, dtype, shape, data: bytes.slice(start, end) }));
}

describe('readSafetensors', () => {
  test('what the Python library wrote', async () => {
    const source = countingSource('layout.safetensors', layout);
    const { tensors, metadata } = await readSafetensors(source);
    expect(metadata).toEqual(new Map([['format', 'pt']]));
    const names = ['10', '9', 'a', 'b', 'brain', 'empty', 'flag', 'quote " slash \\ tab \t bell \u0007', 'scalar', 'é 漢 \uffff', '😀'];
    expect(new Set(tensors.keys())).toEqual(new Set(names));
    expect(tensors.get('brain')).toMatchObject({ dtype: 'BF16', shape: [3, 1, 2] });
    expect(tensors.get('empty')).toMatchObject({ dtype: 'F32', shape: [0, 4] });
    const scalar = tensors.get('scalar');
    expect(scalar?.shape).toEqual([]);
    expect(new DataView(layout.buffer, layout.byteOffset + (scalar?.start ?? 0), 8).getFloat64(0, true)).toBe(1.5);
  });

  test('reads the header alone', async () => {
    const bytes = writeSafetensors([{ name: 'x', dtype: 'F32', shape: [25_000], data: new Uint8Array(100_000) }]);
    const source = countingSource('x', bytes);
    await readSafetensors(source);
    expect(source.bytesRead).toBeLessThan(200);
  });

  test('a file with no tensor', async () => {
    expect((await readSafetensors(memorySource('m', fileOf('{}', 0)))).tensors.size).toBe(0);
  });

  test.each<[string, Uint8Array, string, string]>([
    ['seven bytes', new Uint8Array(7), 'format/truncated', '7 bytes were found'],
    ['a header longer than the file', fileOf('{}', 0).subarray(0, 9), 'format/truncated', 'ends at byte 10, the file has 9'],
    ['a header of 2^63 bytes', new Uint8Array([0, 0, 0, 0, 0, 0, 0, 128, 123]), 'format/invalid', '9223372036854775808'],
    ['a pickle', new TextEncoder().encode('PK\u0003\u0004aaaaaaaaaaaaa'), 'format/invalid', 'not a safetensors file?'],
    ['a header that is a list', fileOf('[]', 0), 'format/invalid', 'byte 91'],
    ['broken JSON', fileOf('{"a":\n{"dtype":"F32",}}', 0), 'format/invalid', 'line 2, column 16'],
    ['bytes that are not UTF-8', fileOf('{"a', 0).fill(0xff, 9), 'format/invalid', 'not UTF-8'],
    ['an entry that is a number', fileOf('{"a":1}', 0), 'format/invalid', 'tensor a: its entry is the number 1'],
    ['an unknown dtype', fileOf(`{${entry('a', 0, 4, [1], 'F33')}}`, 4), 'format/invalid', 'the string "F33"'],
    ['a dtype that objects inherit', fileOf(`{${entry('a', 0, 4, [1], 'toString')}}`, 4), 'format/invalid', 'toString'],
    ['a negative length', fileOf(`{${entry('a', 0, 4, [-1])}}`, 4), 'format/invalid', 'shape [-1]'],
    ['half a length', fileOf(`{${entry('a', 0, 4, [0.5])}}`, 4), 'format/invalid', 'shape [0.5]'],
    ['lengths past 2^53', fileOf(`{${entry('a', 0, 4, [4294967296, 4294967296])}}`, 4), 'format/invalid', '4294967296'],
    ['half a byte', fileOf(`{${entry('a', 0, 4, [1], 'F4')}}`, 4), 'format/invalid', 'no whole number of bytes'],
    ['a shape of other bytes', fileOf(`{${entry('a', 0, 8, [3])}}`, 8), 'format/invalid', '8 bytes were found, [3] of F32 needs 12'],
    ['offsets that fall', fileOf(`{${entry('a', 4, 0, [1])}}`, 4), 'format/invalid', 'two rising byte offsets'],
    ['three offsets', fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}', 4), 'format/invalid', 'an array of 3'],
    ['offsets that are words', fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":["0","4"]}}', 4), 'format/invalid', 'data_offsets'],
    ['an unknown field', fileOf('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4), 'format/invalid', '"x"'],
    ['a tensor past the end', fileOf(`{${entry('a', 0, 8, [2])}}`, 4), 'format/truncated', 'tensor a ends at byte'],
    ['bytes after the last tensor', fileOf(`{${entry('a', 0, 4, [1])}}`, 5), 'format/invalid', 'its tensors end at byte'],
    ['a gap', fileOf(`{${entry('a', 0, 4, [1])},${entry('b', 8, 12, [1])}}`, 12), 'format/invalid', 'tensor b leaves a gap'],
    ['an overlap', fileOf(`{${entry('a', 0, 8, [2])},${entry('b', 4, 12, [2])}}`, 12), 'format/invalid', 'tensor b overlaps'],
    ['a name twice', fileOf(`{${entry('a', 0, 4, [1])},${entry('a', 0, 4, [1])}}`, 4), 'format/invalid', '"a" appears twice'],
    ['a name twice, once escaped', fileOf(`{${entry('a', 0, 4, [1])},"\\u0061":1}`, 4), 'format/invalid', '"a" appears twice'],
    ['metadata that is no string', fileOf('{"__metadata__":{"a":1}}', 0), 'format/invalid', '__metadata__.a'],
  ])('%s', async (_, bytes, code, message) => {
    const error = await failure(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toContain('m.safetensors: ');
    expect(error.message).toContain(message);
  });

  test(`${MUTATIONS} damaged copies`, { timeout: 60_000 + MUTATIONS }, async () => {
    const outcome = await readMutations('layout.safetensors', layout, readSafetensors);
    expect(outcome.values).toBeGreaterThan(0);
    expect(outcome.errors.get('format/invalid')).toBeGreaterThan(MUTATIONS / 10);
    expect(outcome.errors.get('format/truncated')).toBeGreaterThan(0);
    // The length, then the header: never more than the file.
    expect(outcome.readRatio).toBeLessThanOrEqual(1);
    expect(outcome.slowestMs).toBeLessThan(1000);
  });
});

describe('writeSafetensors', () => {
  test('the bytes of the Python library, from tensors in any order', async () => {
    const inputs = await inputsOf(layout);
    expect(writeSafetensors(inputs, { format: 'pt' })).toEqual(layout);
    expect(writeSafetensors(inputs.toReversed(), { format: 'pt' })).toEqual(layout);
  });

  test('a stream of the same bytes, its size told beforehand', async () => {
    const inputs = await inputsOf(layout);
    const pieces: Uint8Array[] = [];
    const streamed = inputs.map(({ data, ...info }) => ({ ...info, chunks: () => [data.subarray(0, 3), data.subarray(3)] }));
    for await (const piece of streamSafetensors(streamed, { format: 'pt' })) pieces.push(piece);
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(layout);
    expect(layoutSafetensors(inputs, { format: 'pt' }).sizeBytes).toBe(layout.length);
  });

  test('wrong bytes and repeated names are refused', async () => {
    const x: SafetensorsInput = { name: 'x', dtype: 'F32', shape: [2], data: new Uint8Array(4) };
    expect(() => writeSafetensors([x])).toThrow('tensor x: 4 bytes were given, 8 were expected');
    expect(() => writeSafetensors([x, x])).toThrow('x was found twice');
    expect(() => writeSafetensors([{ ...x, name: '__metadata__' }])).toThrow('__metadata__');
    const stream = streamSafetensors([{ name: 'x', dtype: 'F32', shape: [2], chunks: () => [new Uint8Array(9)] }]);
    await stream.next();
    await stream.next();
    await expect(stream.next()).rejects.toThrow('tensor x: 9 bytes were given, 8 were expected');
  });
});
