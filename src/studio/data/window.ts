/** Which rows of a long table are drawn, and which blocks of them have to be fetched. Pure. */

export const ROW_HEIGHT = 32;
export const BLOCK_ROWS = 100;
/** Rows drawn above and below what is seen. */
const SPARE_ROWS = 8;

/** Rows `[start, end)` around the part of the table that is seen. */
export function drawnRows(scrollTop: number, viewHeight: number, rowCount: number): { start: number; end: number } {
  const first = Math.floor(scrollTop / ROW_HEIGHT) - SPARE_ROWS;
  const last = Math.ceil((scrollTop + viewHeight) / ROW_HEIGHT) + SPARE_ROWS;
  return { start: Math.max(0, Math.min(first, rowCount)), end: Math.max(0, Math.min(last, rowCount)) };
}

/** Numbers of the blocks that rows `[start, end)` lie in. */
export function blocksOf({ start, end }: { start: number; end: number }): number[] {
  if (end <= start) return [];
  const first = Math.floor(start / BLOCK_ROWS);
  const last = Math.floor((end - 1) / BLOCK_ROWS);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

const SHOWN_CHARACTERS = 200;

/** A cell on one line: text as it stands, anything else as JSON. */
export function cellText(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const line = text.replaceAll(/\s*\n\s*/g, ' ⏎ ');
  return line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
}
