/** Rows of CSV and TSV: where records end; their fields are csv-parse's work. Knows no dataset. */
import { parse } from 'csv-parse/browser/esm/sync';
import { AppError, invariant } from '#base/errors.ts';
import { chunksOf, locate, RowIndex } from '#formats/row-index.ts';
import { decodeUtf8, type Utf8Source } from '#formats/text-encoding.ts';

export interface CsvDialect {
  delimiter: ',' | '\t' | ';';
  /** Old Macintosh files end their lines with a carriage return alone. */
  newline: '\n' | '\r';
}

const [LINE_FEED, CARRIAGE_RETURN, QUOTE] = [10, 13, 0x22];
const DELIMITERS = [',', '\t', ';'] as const;

/** The dialect by the first line of `probe`: the delimiter that it has most of outside quotes; `fallback` when it has none. */
export function detectDialect(probe: string, fallback: CsvDialect['delimiter']): CsvDialect {
  const newline = probe.includes('\r') && !probe.includes('\n') ? '\r' : '\n';
  const firstLine = probe
    .trimStart()
    .split(newline, 1)[0]
    .replaceAll(/"[^"]*"/g, '');
  const count = (delimiter: string) => firstLine.split(delimiter).length - 1;
  const delimiter = DELIMITERS.reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best), fallback);
  return { delimiter, newline };
}

async function quoteError(file: Utf8Source, offset: number, message: string): Promise<AppError> {
  const { line, column } = await locate(file, offset);
  return new AppError('data/invalid', `${file.source.name}: line ${line}, column ${column}: ${message}`, {
    file: file.source.name,
    line,
    column,
  });
}

/**
 * Records of a file, header included; empty lines are none. A quote opens a quoted field only as its first character, as in pandas.
 * @throws AppError `data/invalid` for a quote that does not close, or that is followed by more than a delimiter.
 */
export async function indexCsv(file: Utf8Source, { delimiter, newline }: CsvDialect): Promise<RowIndex> {
  const { source, start } = file;
  const index = new RowIndex(source);
  const [delimiterByte, newlineByte] = [delimiter.charCodeAt(0), newline.charCodeAt(0)];
  let state: 'field-start' | 'plain' | 'quoted' | 'quote-in-quoted' | 'closed-by-return' = 'field-start';
  let [recordStart, quoteStart, previous] = [start, start, LINE_FEED];
  const endRecord = (end: number) => {
    // The return of a Windows line end is no part of the last field.
    const textEnd = newline === '\n' && previous === CARRIAGE_RETURN && end > recordStart ? end - 1 : end;
    if (textEnd > recordStart) index.push(recordStart, textEnd);
    recordStart = end + 1;
    state = 'field-start';
  };
  for await (const { bytes, offset } of chunksOf(source, start)) {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (state === 'quoted') {
        if (byte === QUOTE) state = 'quote-in-quoted';
      } else if (byte === newlineByte) {
        endRecord(offset + i);
      } else if (state === 'field-start' && byte === QUOTE) {
        state = 'quoted';
        quoteStart = offset + i;
      } else if (state === 'quote-in-quoted' && byte === QUOTE) {
        state = 'quoted';
      } else if (byte === delimiterByte && state !== 'closed-by-return') {
        state = 'field-start';
      } else if (state === 'quote-in-quoted' && byte === CARRIAGE_RETURN) {
        state = 'closed-by-return';
      } else if (state === 'quote-in-quoted' || state === 'closed-by-return') {
        throw await quoteError(file, offset + i, `a closing quote is followed by more text; quotes inside a quoted field are doubled`);
      } else {
        state = 'plain';
      }
      previous = byte;
    }
  }
  if ((state as string) === 'quoted') throw await quoteError(file, quoteStart, 'this quote is not closed until the end of the file');
  endRecord(source.sizeBytes);
  return index;
}

/** The fields of whole records. @throws AppError `data/invalid` naming the byte that is not UTF-8. */
export function parseRecords(file: Utf8Source, bytes: Uint8Array, offset: number, { delimiter, newline }: CsvDialect): string[][] {
  decodeUtf8(file.source, bytes, offset);
  return parse(bytes, {
    delimiter,
    record_delimiter: newline === '\n' ? ['\r\n', '\n'] : '\r',
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
  });
}

/** Column names: the header's fields, an empty one named as pandas names it. @throws AppError `data/invalid` for a name twice. */
export function columnNames(file: Utf8Source, header: readonly string[]): string[] {
  const names = header.map((name, i) => (name.trim() === '' ? `Unnamed: ${i}` : name));
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated === undefined) return names;
  throw new AppError('data/invalid', `${file.source.name}: the column ${repeated} was found twice in the header`, {
    file: file.source.name,
    column: repeated,
  });
}

/** Objects of the rows `[first, first + records.length)`. @throws AppError `data/invalid` naming row and line of another field count. */
export async function recordsToRows(
  file: Utf8Source,
  index: RowIndex,
  first: number,
  records: readonly string[][],
  columns: readonly string[],
): Promise<Record<string, string>[]> {
  for (const [i, record] of records.entries()) {
    if (record.length === columns.length) continue;
    const { line } = await locate(file, index.start(first + i));
    const message = `${file.source.name}: row ${first + i + 1} at line ${line} has ${record.length} fields, ${columns.length} were expected`;
    const details = { file: file.source.name, row: first + i + 1, line, found: record.length, expected: columns.length };
    throw new AppError('data/invalid', message, details);
  }
  return records.map((record) => Object.fromEntries(columns.map((column, i) => [column, record[i]])));
}

/** As many records as the index says: the two agree on where records end. */
export function checkRecordCount(records: readonly string[][], expected: number): void {
  invariant(records.length === expected, `${records.length} records were parsed, ${expected} were expected`);
}
