import { expect, it } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { openRows } from '#formats/rows.ts';
import { type LoadedFile, loadRows } from '#data/load-rows.ts';
import { badValue, locateRow } from '#data/rows.ts';

async function opened(name: string, text: string): Promise<LoadedFile> {
  return { name, rows: await openRows(memorySource(name, new TextEncoder().encode(text))) };
}

it('reads files one after another and knows where each row came from', async () => {
  const first = await opened('a.jsonl', '{"x": 1}\n{"x": 2, "y": "b"}\n');
  const second = await opened('b.json', '[{"z": [1]}, {"x": 4}, {"x": 5}]');
  const seen: number[] = [];
  const set = await loadRows([first, second], (rows, total) => void seen.push(rows, total));
  expect(set.rows).toEqual([{ x: 1 }, { x: 2, y: 'b' }, { z: [1] }, { x: 4 }, { x: 5 }]);
  expect(set.columns).toEqual(['x', 'y', 'z']);
  expect(set.textCells).toBe(false);
  expect(seen).toEqual([2, 5, 5, 5]);
  expect([0, 1, 2, 4].map((row) => locateRow(set, row))).toEqual([
    { file: 'a.jsonl', row: 1 },
    { file: 'a.jsonl', row: 2 },
    { file: 'b.json', row: 1 },
    { file: 'b.json', row: 3 },
  ]);
  expect(badValue(set, 3, 'x', 4, 'text').message).toBe("b.json, row 2, column 'x': the number 4 was found, text was expected");
});

it('knows that cells of CSV have no types, and reads past one batch', async () => {
  const lines = Array.from({ length: 5000 }, (_, i) => `${i},v`);
  const set = await loadRows([await opened('a.csv', `n,text\n${lines.join('\n')}\n`)]);
  expect(set.textCells).toBe(true);
  expect(set.rows.length).toBe(5000);
  expect(set.rows[4999]).toEqual({ n: '4999', text: 'v' });
  expect(locateRow(set, 4999)).toEqual({ file: 'a.csv', row: 5000 });
});
