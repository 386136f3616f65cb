/** Dataset files -> one set of rows. Knows what a file of rows offers, not how it is read. */
import type { RowsFile } from '#formats/rows.ts';
import type { Row, RowSet } from '#data/rows.ts';

/** Rows that are read at once, between two calls of `onProgress`. */
const ROWS_PER_READ = 4096;

/**
 * Reads the rows of one file or of several, one after another.
 * `onProgress` is awaited, so that a caller can give way or throw `run/cancelled`.
 */
export async function loadRows(
  files: readonly [LoadedFile, ...LoadedFile[]],
  onProgress?: (rows: number, total: number) => void | Promise<void>,
): Promise<RowSet> {
  const total = files.reduce((sum, { rows }) => sum + rows.rowCount, 0);
  const all: Row[] = [];
  const columns = new Set<string>();
  const starts: { file: string; firstRow: number }[] = [];
  for (const { name, rows } of files) {
    starts.push({ file: name, firstRow: all.length });
    for (const column of rows.columns) columns.add(column);
    for (let start = 0; start < rows.rowCount; start += ROWS_PER_READ) {
      for (const row of await rows.rows(start, Math.min(rows.rowCount, start + ROWS_PER_READ))) all.push(row);
      await onProgress?.(all.length, total);
    }
  }
  return {
    file: files[0].name,
    further: starts.slice(1),
    columns: [...columns],
    rows: all,
    textCells: files.every(({ rows }) => rows.format === 'csv' || rows.format === 'tsv'),
  };
}

/** A file of rows under the name that errors tell. */
export interface LoadedFile {
  name: string;
  rows: Pick<RowsFile, 'format' | 'columns' | 'rowCount' | 'rows'>;
}
