import { readFileSync } from 'node:fs';
import { parquetMetadata } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { countingSource, MUTATIONS, readMutations } from '#formats/mutations.ts';
import { chunkPlaces } from '#formats/parquet-pages.ts';
import { openRows } from '#formats/rows.ts';
import expected from './fixtures/parquet/rows.json' with { type: 'json' };

const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`./fixtures/parquet/${name}`, import.meta.url)));
const open = (name: string) => openRows(memorySource(name, bytesOf(name)));

/** The first bytes and the footer, with nothing in between. */
function footerOf(bytes: Uint8Array): Uint8Array {
  const length = new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
  return new Uint8Array([...bytes.subarray(0, 4), ...bytes.subarray(bytes.length - 8 - length)]);
}

/** A byte more before all columns: each is read one byte too early. */
function moved(bytes: Uint8Array): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, 4), 0, ...bytes.subarray(4)]);
}

describe('Parquet', () => {
  test.each(expected.files)('$name ($codec, $rowGroups row groups): the rows that pyarrow reads', async ({ name }) => {
    const file = await open(name);
    expect(file).toMatchObject({ format: 'parquet', textUnit: null, rowCount: expected.rows.length, columns: expected.columns });
    expect(await file.rows(0, file.rowCount)).toEqual(expected.rows);
  });

  test('chat rows as datasets writes them', async () => {
    const file = await open('datasets.parquet');
    expect(await file.rows(0, file.rowCount)).toEqual(expected.chats);
  });

  test.each(['snappy.parquet', 'zstd.parquet'])('%s: any range is read, of its row groups alone', async (name) => {
    const source = countingSource(name, bytesOf(name));
    const file = await openRows(source);
    for (const [start, end] of [
      [0, 1],
      [3, 9],
      [11, 12],
      [5, 5],
    ] as const) {
      expect(await file.rows(start, end)).toEqual(expected.rows.slice(start, end));
    }
    source.bytesRead = 0;
    await file.rows(11, 12);
    expect(source.bytesRead).toBe(0);
    await file.rows(0, 2);
    expect(source.bytesRead).toBeGreaterThan(0);
    expect(source.bytesRead).toBeLessThan(source.sizeBytes / 2);
    await expect(file.rows(11, 13)).rejects.toThrow('rows 11 to 13 of 12');
  });

  test.each<[string, Uint8Array, string]>([
    ['a footer cut off', bytesOf('snappy.parquet').subarray(0, -9), 'its footer cannot be read as Parquet'],
    ['the first bytes alone', new TextEncoder().encode('PAR1aaaa'), 'its footer cannot be read as Parquet'],
    ['a footer without its columns', footerOf(bytesOf('plain.parquet')), 'row group 1 cannot be read as Parquet'],
    ['bytes that are another page', moved(bytesOf('plain.parquet')), 'row group 1 cannot be read as Parquet'],
  ])('%s', async (_, bytes, message) => {
    const error: unknown = await openRows(memorySource('a.parquet', bytes)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'data/invalid', details: { file: 'a.parquet', expected: 'a whole Parquet file' } });
    expect((error as Error).message).toMatch(/^a\.parquet: /);
    expect((error as Error).message).toContain(message);
  });

  test('a column that lies outside the file is told by its name', () => {
    const bytes = bytesOf('snappy.parquet');
    const metadata = parquetMetadata(bytes);
    expect(chunkPlaces(metadata, bytes.length)).toHaveLength(3 * 19);
    expect(() => chunkPlaces(metadata, 5000)).toThrow("row group 3, column 'time' is said to lie at bytes 4903 to 5001 of 5000");
    metadata.row_groups[1].num_rows = 99n;
    expect(() => chunkPlaces(metadata, bytes.length)).toThrow("row group 2, column 'id' has 5 values for 99 rows");
  });

  test.each(['snappy.parquet', 'zstd.parquet'])(`%s: ${MUTATIONS} damaged copies`, { timeout: 120_000 + 10 * MUTATIONS }, async (name) => {
    const outcome = await readMutations(name, bytesOf(name), async (source) => {
      const file = await openRows(source);
      return file.rows(0, file.rowCount);
    });
    expect(outcome.errors.get('data/invalid')).toBeGreaterThan(MUTATIONS / 20);
    expect(outcome.readRatio).toBeLessThan(8);
    expect(outcome.slowestMs).toBeLessThan(2000);
  });
});
