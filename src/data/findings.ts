/** Rows to which something happened, as a report lists them. Knows nothing of what happened. */

/** How many rows of a kind a report lists; past that it counts alone. */
export const LISTED_ROWS = 100;

/** Numbers of rows are counted from 0. */
export interface RowFinding {
  count: number;
  /** The first LISTED_ROWS of them. */
  rows: number[];
}

export function noRows(): RowFinding {
  return { count: 0, rows: [] };
}

export function noteRow(finding: RowFinding, row: number): void {
  finding.count++;
  if (finding.rows.length < LISTED_ROWS) finding.rows.push(row);
}
