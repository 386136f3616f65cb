/** The rows of a dataset, however many: those that are seen are drawn, their blocks fetched from the worker as they come into view. */
import { type UIEvent, useCallback, useEffect, useRef, useState } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import classes from '#studio/data/data.module.css';
import { BLOCK_ROWS, blocksOf, cellText, drawnRows, ROW_HEIGHT } from '#studio/data/window.ts';
import type { OpenedDataset } from '#studio/stores/dataset.ts';
import { count } from '#studio/text/format.ts';

const VIEW_HEIGHT = 416;
const NUMBER_WIDTH = 72;
const COLUMN_WIDTH = 208;

type Rows = Record<string, unknown>[];

export function RowTable({ dataset }: { dataset: OpenedDataset }) {
  const text = useText().data.table;
  const studio = useStudio();
  const selected = useStore(studio.dataset, (store) => store.row);
  const [scrollTop, setScrollTop] = useState(0);
  const drawn = drawnRows(scrollTop, VIEW_HEIGHT, dataset.rowCount);
  const rowAt = useRows(dataset, drawn);
  const numbers = Array.from({ length: drawn.end - drawn.start }, (_, i) => drawn.start + i);
  return (
    <section
      className={classes.tableFrame}
      onScroll={(event: UIEvent<HTMLElement>) => setScrollTop(event.currentTarget.scrollTop)}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
      tabIndex={0}
      aria-label={text.label}
    >
      <table
        className={classes.table}
        style={{ minWidth: NUMBER_WIDTH + dataset.columns.length * COLUMN_WIDTH }}
        aria-rowcount={dataset.rowCount + 1}
      >
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{text.number}</th>
            {dataset.columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer rows={drawn.start} />
          {numbers.map((number) => {
            const row = rowAt(number);
            return (
              <tr key={number} aria-rowindex={number + 2} aria-current={number === selected ? 'true' : undefined}>
                <td>
                  <button type="button" className={classes.rowLink} onClick={() => studio.dataset.getState().showRow(number)}>
                    {count(number + 1)}
                  </button>
                </td>
                {dataset.columns.map((column) => (
                  <td key={column}>{row === undefined ? text.loading : <Cell value={row[column]} />}</td>
                ))}
              </tr>
            );
          })}
          <Spacer rows={dataset.rowCount - drawn.end} />
        </tbody>
      </table>
    </section>
  );
}

function Cell({ value }: { value: unknown }) {
  const { empty } = useText().data.table;
  const shown = value === null || value === undefined ? '' : cellText(value);
  return shown === '' ? <span className={classes.empty}>{empty}</span> : shown;
}

function Spacer({ rows }: { rows: number }) {
  return rows > 0 && <tr aria-hidden="true" style={{ height: rows * ROW_HEIGHT }} />;
}

/** The rows that have come; asks for the blocks of the drawn ones that have not. */
function useRows(dataset: OpenedDataset, drawn: { start: number; end: number }): (row: number) => Record<string, unknown> | undefined {
  const { dataset: store } = useStudio();
  const [blocks, setBlocks] = useState<ReadonlyMap<number, Rows>>(new Map());
  const asked = useRef(new Set<number>());
  const wanted = blocksOf(drawn).join(',');
  useEffect(() => {
    for (const block of wanted === '' ? [] : wanted.split(',').map(Number)) {
      if (asked.current.has(block)) continue;
      asked.current.add(block);
      store
        .getState()
        .rows(block * BLOCK_ROWS, Math.min(dataset.rowCount, (block + 1) * BLOCK_ROWS))
        .then(
          (rows) => setBlocks((before) => new Map(before).set(block, rows)),
          // Asked for again when it is next drawn; the dataset's own error says why.
          () => asked.current.delete(block),
        );
    }
  }, [store, dataset.rowCount, wanted]);
  return useCallback((row) => blocks.get(Math.floor(row / BLOCK_ROWS))?.[row % BLOCK_ROWS], [blocks]);
}
