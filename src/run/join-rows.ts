/** Several files of rows, or some rows of them, as one. Knows no format. */
import { AppError } from '#base/errors.ts';
import type { Row, RowsFile } from '#formats/rows.ts';

/**
 * The rows of the files one after another; `chosen`: those of these numbers alone, in that order.
 * @throws AppError `data/no-rows` naming `name`, where none are left
 */
export function joinRows(name: string, files: readonly RowsFile[], chosen: readonly number[] | null = null): RowsFile {
  const starts: number[] = [];
  let total = 0;
  for (const { rowCount } of files) {
    starts.push(total);
    total += rowCount;
  }
  const rowCount = chosen?.length ?? total;
  if (rowCount === 0) {
    const message = `${name}: none of ${total} rows was found in the split, at least one was expected`;
    throw new AppError('data/no-rows', message, { file: name, found: 0, expected: 1 });
  }
  /** Rows that follow each other in all files together. */
  const readRun = async (start: number, end: number): Promise<Row[]> => {
    const rows: Row[] = [];
    for (const [i, file] of files.entries()) {
      const [from, to] = [Math.max(start - starts[i], 0), Math.min(end - starts[i], file.rowCount)];
      if (from < to) for (const row of await file.rows(from, to)) rows.push(row);
    }
    return rows;
  };
  return {
    format: files[0].format,
    textUnit: files[0].textUnit,
    columns: [...new Set(files.flatMap(({ columns }) => columns))],
    rowCount,
    async rows(start, end) {
      if (chosen === null) return readRun(start, end);
      const rows: Row[] = [];
      for (let at = start; at < end;) {
        let next = at + 1;
        while (next < end && chosen[next] === chosen[next - 1] + 1) next++;
        for (const row of await readRun(chosen[at], chosen[next - 1] + 1)) rows.push(row);
        at = next;
      }
      return rows;
    },
  };
}
