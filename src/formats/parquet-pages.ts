/** What a Parquet file's headers claim, checked before its pages are decoded. Knows pages, levels and runs, no values. */
import type { ColumnMetaData, Compressors, FileMetaData, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { parquetSchema } from 'hyparquet/src/metadata.js';
import { getMaxDefinitionLevel, getMaxRepetitionLevel, getPhysicalColumns, getTreePath } from 'hyparquet/src/schema.js';

/** Values of one column chunk, those of nested lists counted one by one. */
const MAX_CHUNK_VALUES = 134_217_728;
/** A page is decompressed whole. */
const MAX_PAGE_BYTES = 536_870_912;

export interface ChunkPlace {
  group: number;
  column: string;
  start: number;
  end: number;
  meta: ColumnMetaData;
  /** Bits of a repetition and of a definition level; 0 where there are none. */
  repetitionBits: number;
  definitionBits: number;
}

const bitsOf = (level: number): number => 32 - Math.clz32(level);

/**
 * Where each column chunk lies.
 * @throws Error where a row group has other columns than the schema, a chunk is outside the file, or values are too few or too many.
 */
export function chunkPlaces(metadata: FileMetaData, sizeBytes: number): ChunkPlace[] {
  const tree = parquetSchema(metadata);
  const expected = getPhysicalColumns(tree);
  return metadata.row_groups.flatMap((rowGroup, group) => {
    if (rowGroup.columns.length !== expected.length) {
      throw new Error(`row group ${group + 1} has ${rowGroup.columns.length} columns, the schema has ${expected.length}`);
    }
    return rowGroup.columns.map((chunk, i) => {
      const meta = chunk.meta_data;
      const column = meta?.path_in_schema.join('.');
      const where = `row group ${group + 1}, column '${expected[i]}'`;
      if (meta === undefined || column !== expected[i]) throw new Error(`${where} is said to be ${column ?? 'nothing'}`);
      if (chunk.file_path) throw new Error(`${where} lies in another file, ${chunk.file_path}`);
      const dictionary = Number(meta.dictionary_page_offset ?? 0);
      const start = dictionary > 0 ? Math.min(dictionary, Number(meta.data_page_offset)) : Number(meta.data_page_offset);
      const end = start + Number(meta.total_compressed_size);
      if (!(start >= 4 && end >= start && end <= sizeBytes)) {
        throw new Error(`${where} is said to lie at bytes ${start} to ${end} of ${sizeBytes}`);
      }
      if (!(meta.num_values >= rowGroup.num_rows && meta.num_values <= MAX_CHUNK_VALUES)) {
        throw new Error(`${where} has ${meta.num_values} values for ${rowGroup.num_rows} rows`);
      }
      const path = getTreePath(tree, meta.path_in_schema);
      const [repetitionBits, definitionBits] = [bitsOf(getMaxRepetitionLevel(path)), bitsOf(getMaxDefinitionLevel(path))];
      return { group, column, start, end, meta, repetitionBits, definitionBits };
    });
  });
}

/**
 * Walks the pages of a chunk's bytes. Each is decompressed to look at its runs: hyparquet writes a run as long as the file says it is.
 * @throws Error where pages are larger than a page may be, pass the chunk's end, or hold more values than the chunk has.
 */
export function checkPages(bytes: Uint8Array, place: ChunkPlace, compressors: Compressors): void {
  const { meta } = place;
  const where = `column '${place.column}'`;
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let values = 0;
  while (reader.offset < bytes.length && values < meta.num_values) {
    const header = parquetHeader(reader);
    const sizes = [header.compressed_page_size, header.uncompressed_page_size];
    const left = bytes.length - reader.offset;
    if (sizes.some((size) => !(size >= 0 && size <= MAX_PAGE_BYTES)) || header.compressed_page_size > left) {
      throw new Error(`${where} has a page of ${sizes.join(' and ')} bytes where ${left} are left`);
    }
    const count = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
    const own = count + (header.dictionary_page_header?.num_values ?? 0);
    if (!(count >= 0 && own >= count && own <= meta.num_values)) {
      throw new Error(`${where} has a page of ${own} values of ${meta.num_values}`);
    }
    const page = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    if (count > 0 && !runsFit(page, header, place, compressors, count))
      throw new Error(`${where} has a run of more than its page's values`);
    values += count;
    reader.offset += header.compressed_page_size;
  }
  if (BigInt(values) !== meta.num_values) throw new Error(`${where} has ${values} values of ${meta.num_values}`);
}

function runsFit(page: Uint8Array, header: PageHeader, place: ChunkPlace, compressors: Compressors, count: number): boolean {
  const { meta, repetitionBits, definitionBits } = place;
  const v2 = header.data_page_header_v2;
  if (v2 !== undefined) {
    const [repetition, levels] = [v2.repetition_levels_byte_length, v2.repetition_levels_byte_length + v2.definition_levels_byte_length];
    if (!(repetition >= 0 && levels >= repetition && levels <= page.length)) return false;
    const rest = page.subarray(levels);
    const size = header.uncompressed_page_size - levels;
    const values = v2.is_compressed === false ? rest : decompressPage(rest, size, meta.codec, compressors);
    return (
      (repetitionBits === 0 || areRuns(page.subarray(0, repetition), repetitionBits, count)) &&
      (definitionBits === 0 || areRuns(page.subarray(repetition, levels), definitionBits, count)) &&
      areValueRuns(values, v2.encoding, meta, count)
    );
  }
  const data = decompressPage(page, header.uncompressed_page_size, meta.codec, compressors);
  let offset = 0;
  for (const bits of [repetitionBits, definitionBits]) {
    if (bits === 0) continue;
    const length = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(offset, true);
    if (!areRuns(data.subarray(offset + 4, offset + 4 + length), bits, count)) return false;
    offset += 4 + length;
  }
  return areValueRuns(data.subarray(offset), header.data_page_header?.encoding, meta, count);
}

/** Whether the runs of a page's values, where it has any, are of its size: numbers of a dictionary, or booleans. */
function areValueRuns(values: Uint8Array, encoding: string | undefined, { type }: ColumnMetaData, count: number): boolean {
  if (encoding === 'RLE' && type === 'BOOLEAN') return areRuns(values.subarray(4), 1, count);
  if (encoding !== 'PLAIN_DICTIONARY' && encoding !== 'RLE_DICTIONARY') return true;
  const bits = values[0] ?? 0;
  return bits === 0 || areRuns(values.subarray(1), bits, count);
}

/** Whether no run of a run-length encoding repeats its value more than `count` times. */
function areRuns(bytes: Uint8Array, bits: number, count: number): boolean {
  let seen = 0;
  let at = 0;
  while (seen < count && at < bytes.length) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift > 28) return false;
      const byte = bytes[at++];
      header |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    const length = header >>> 1;
    if ((header & 1) === 0 && length > count) return false;
    seen += (header & 1) === 0 ? length : length * 8;
    at += (header & 1) === 0 ? (bits + 7) >> 3 : length * bits;
  }
  return true;
}
