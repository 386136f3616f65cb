/** A dataset file as rows: JSON, JSON lines, CSV, TSV, Parquet or plain text, read by range. Knows no template and no tokenizer. */
import { AppError } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';
import { checkRecordCount, columnNames, detectDialect, indexCsv, parseRecords, recordsToRows } from '#formats/csv-rows.ts';
import { indexJson, indexJsonLines, parseJsonRow } from '#formats/json-rows.ts';
import type { JsonValue } from '#formats/json-text.ts';
import { openParquet } from '#formats/parquet-rows.ts';
import type { RowIndex } from '#formats/row-index.ts';
import { utf8Source, type Utf8Source } from '#formats/text-encoding.ts';
import { indexText, parseTextRow, type TextUnit } from '#formats/text-rows.ts';

export type Row = Record<string, JsonValue>;

export interface RowsFile {
  format: 'json' | 'jsonl' | 'csv' | 'tsv' | 'parquet' | 'text';
  /** What a row of plain text is; null in other formats. */
  textUnit: TextUnit | null;
  /** Every key that any row has, in order of appearance. */
  columns: string[];
  rowCount: number;
  /** Rows `[start, end)`. Cells keep their JSON type; those of CSV are strings. */
  rows(start: number, end: number): Promise<Row[]>;
}

/** Past this a dataset is no longer something to fine-tune on in a tab. */
const MAX_FILE_BYTES = 2_147_483_648;
const MAX_COLUMNS = 4096;
/** Rows are read and parsed in batches of about this many bytes. */
const BATCH_BYTES = 8_388_608;
const PROBE_BYTES = 65_536;
const PARQUET_MAGIC = 'PAR1';
const TEXT_EXTENSIONS = new Set(['txt', 'text', 'md']);

/** First bytes of files that are often dropped by mistake. */
const BINARY_FORMATS: readonly [string, string][] = [
  ['PK\u0003\u0004', 'a zip or an Excel workbook'],
  ['\u001f\u008b', 'gzip'],
  ['ARROW1', 'Arrow'],
  ['%PDF', 'PDF'],
  ['GGUF', 'GGUF, a model'],
];

interface Opened {
  format: RowsFile['format'];
  textUnit: TextUnit | null;
  index: RowIndex;
  parse(bytes: Uint8Array, offset: number, first: number, count: number): Promise<Row[]>;
}

async function openJson(file: Utf8Source, format: 'json' | 'jsonl', index: RowIndex): Promise<Opened> {
  return {
    format,
    textUnit: null,
    index,
    async parse(bytes, offset, first, count) {
      const rows: Row[] = [];
      for (let row = first; row < first + count; row++) {
        const [start, end] = [index.start(row), index.end(row)];
        rows.push(await parseJsonRow(file, bytes.subarray(start - offset, end - offset), start, row));
      }
      return rows;
    },
  };
}

async function openCsv(file: Utf8Source, probe: string, extension: string): Promise<Opened> {
  const dialect = detectDialect(probe, extension === 'tsv' || extension === 'tab' ? '\t' : ',');
  const records = await indexCsv(file, dialect);
  if (records.length === 0) throw noRows(file.source.name);
  const header = await file.source.read(records.start(0), records.end(0));
  const columns = columnNames(file, parseRecords(file, header, records.start(0), dialect)[0] ?? []);
  const index = records.withoutFirst();
  return {
    format: dialect.delimiter === '\t' ? 'tsv' : 'csv',
    textUnit: null,
    index,
    async parse(bytes, offset, first, count) {
      const parsed = parseRecords(file, bytes, offset, dialect);
      checkRecordCount(parsed, count);
      return recordsToRows(file, index, first, parsed, columns);
    },
  };
}

/** Text of a .txt file, whatever its first character is. */
async function openText(file: Utf8Source): Promise<Opened> {
  const { index, unit } = await indexText(file);
  return {
    format: 'text',
    textUnit: unit,
    index,
    async parse(bytes, offset, first, count) {
      return Array.from({ length: count }, (_, i) => {
        const [start, end] = [index.start(first + i), index.end(first + i)];
        return parseTextRow(file, bytes.subarray(start - offset, end - offset), start);
      });
    },
  };
}

function noRows(name: string): AppError {
  return new AppError('data/no-rows', `${name}: no rows were found, at least one was expected`, { file: name });
}

/** True when every line is an object by itself, as far as the first line tells. */
async function isJsonLines(file: Utf8Source, lines: RowIndex): Promise<boolean> {
  if (lines.length < 2) return false;
  const first = new TextDecoder().decode(await file.source.read(lines.start(0), lines.end(0)));
  try {
    JSON.parse(first);
    return true;
  } catch {
    return false;
  }
}

/** By content first, by extension where the content leaves a choice. */
async function openFormat(file: Utf8Source, extension: string): Promise<Opened> {
  const { source, start } = file;
  const bytes = await source.read(start, Math.min(source.sizeBytes, start + PROBE_BYTES));
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    const message = `${source.name}: byte ${start + zero} is 0, text in UTF-8, or in UTF-16 with a byte-order mark, was expected`;
    throw new AppError('data/invalid', message, { file: source.name, start: start + zero });
  }
  const probe = new TextDecoder().decode(bytes);
  const content = probe.trimStart();
  const isText = TEXT_EXTENSIONS.has(extension);
  const table = extension === 'csv' || extension === 'tsv' || extension === 'tab' || isText;
  // A table's header or a text may open with a bracket; JSON's brackets are followed by what JSON allows.
  if (content.startsWith('[') && (!table || /^\[\s*[{\]]/.test(content))) return openJson(file, 'json', await indexJson(file));
  if (content.startsWith('{') && (!table || /^\{\s*["}]/.test(content))) {
    const lines = await indexJsonLines(file);
    const asLines = extension === 'jsonl' || extension === 'ndjson' || (await isJsonLines(file, lines));
    return asLines ? openJson(file, 'jsonl', lines) : openJson(file, 'json', await indexJson(file));
  }
  if (extension === 'jsonl' || extension === 'ndjson') return openJson(file, 'jsonl', await indexJsonLines(file));
  if (extension === 'json') return openJson(file, 'json', await indexJson(file));
  if (isText) return openText(file);
  return openCsv(file, probe, extension);
}

async function* batches(source: ByteSource, opened: Opened, start: number, end: number): AsyncGenerator<Row[]> {
  const { index } = opened;
  for (let first = start; first < end;) {
    const offset = index.start(first);
    let last = first + 1;
    while (last < end && index.end(last) - offset <= BATCH_BYTES) last++;
    const bytes = await source.read(offset, index.end(last - 1));
    yield await opened.parse(bytes, offset, first, last - first);
    first = last;
  }
}

function checkRowRange(name: string, start: number, end: number, rowCount: number): void {
  if (Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rowCount) return;
  throw new AppError('internal', `rows ${start} to ${end} of ${rowCount} were asked for`, { file: name });
}

async function openParquetFile(source: ByteSource): Promise<RowsFile> {
  const { name } = source;
  const opened = await openParquet(source);
  const { columns, rowCount } = opened;
  if (rowCount === 0) throw noRows(name);
  if (columns.length > MAX_COLUMNS) throw tooManyColumns(name);
  return {
    format: 'parquet',
    textUnit: null,
    columns,
    rowCount,
    async rows(start, end) {
      checkRowRange(name, start, end, rowCount);
      return opened.rows(start, end);
    },
  };
}

function tooManyColumns(name: string): AppError {
  return new AppError('data/invalid', `${name}: more than ${MAX_COLUMNS} columns were found`, { file: name, expected: MAX_COLUMNS });
}

/**
 * Opens a dataset. A text file is read through once, so that every error is told now and columns are known; only the rows' places are kept.
 * Of a Parquet file the footer and the first rows are read; damage further on is told when its rows are read.
 * @throws AppError `data/no-rows`; `data/invalid` naming row, line, column, what was found and expected; `format/unsupported` for binary files.
 */
export async function openRows(source: ByteSource): Promise<RowsFile> {
  const { name, sizeBytes } = source;
  if (sizeBytes > MAX_FILE_BYTES) {
    throw new AppError('data/invalid', `${name}: ${sizeBytes} bytes were found, at most ${MAX_FILE_BYTES} (2 GiB) were expected`, {
      file: name,
      found: sizeBytes,
      expected: MAX_FILE_BYTES,
    });
  }
  if (sizeBytes === 0) throw noRows(name);
  const head = String.fromCharCode(...(await source.read(0, Math.min(6, sizeBytes))));
  if (head.startsWith(PARQUET_MAGIC)) return openParquetFile(source);
  const binary = BINARY_FORMATS.find(([magic]) => head.startsWith(magic));
  if (binary) {
    const message = `${name}: ${binary[1]} was found; JSON, JSON lines, CSV, TSV, Parquet or plain text was expected`;
    throw new AppError('format/unsupported', message, { file: name, found: binary[1] });
  }
  const file = await utf8Source(source);
  const opened = await openFormat(file, /\.([a-z]+)$/.exec(name.toLowerCase())?.[1] ?? '');
  const rowCount = opened.index.length;
  if (rowCount === 0) throw noRows(name);
  const columns = new Set<string>();
  for await (const rows of batches(file.source, opened, 0, rowCount)) {
    for (const row of rows) for (const column of Object.keys(row)) columns.add(column);
    if (columns.size > MAX_COLUMNS) throw tooManyColumns(name);
  }
  return {
    format: opened.format,
    textUnit: opened.textUnit,
    columns: [...columns],
    rowCount,
    async rows(start, end) {
      checkRowRange(name, start, end, rowCount);
      const rows: Row[] = [];
      for await (const batch of batches(file.source, opened, start, end)) for (const row of batch) rows.push(row);
      return rows;
    },
  };
}
