import { describe, expect, it } from 'vitest';
import { groupRows, holdOut, type HoldOutOptions } from '#data/hold-out.ts';
import type { DataMapping } from '#data/mapping.ts';
import { columnsOf, type Row, type RowSet } from '#data/rows.ts';

const setOf = (rows: Row[], file = 'rows.json'): RowSet => ({ file, columns: columnsOf(rows), rows });
const OPTIONS: HoldOutOptions = { heldOut: 0.25, seed: 1, stratifyBy: null, keepDuplicatesTogether: true };
const TEMPLATE: DataMapping = { kind: 'template', template: 'Order: {input} -> {output}' };

async function divided(
  rows: Row[],
  options: Partial<HoldOutOptions> = {},
  mapping: DataMapping = TEMPLATE,
  heldOutRows: Row[] | null = null,
) {
  const compared = { set: setOf(rows), heldOutSet: heldOutRows === null ? null : setOf(heldOutRows, 'held.json') };
  const all = { ...OPTIONS, ...options };
  return holdOut(compared, all, all.keepDuplicatesTogether ? await groupRows(compared, mapping) : null);
}

const groupsBy = async (rows: Row[], mapping: DataMapping): Promise<number[]> => [
  ...(await groupRows({ set: setOf(rows), heldOutSet: null }, mapping)),
];

describe('holdOut', () => {
  const row = (i: number): Row => ({ input: `message ${i} of many`, output: `${i}`, kind: i % 4 === 0 ? 'rare' : 'usual' });
  const rows = Array.from({ length: 40 }, (_, i) => row(i));

  it('keeps rows that say the same on one side, and reports them', async () => {
    // Rows 40 to 49 repeat rows 0 to 9, as another hand would write them.
    const doubled = [...rows, ...Array.from({ length: 10 }, (_, i) => ({ input: `MESSAGE ${i}  of many!`, output: `${i}.` }))];
    for (let seed = 0; seed < 20; seed++) {
      const { train, heldOut, ...found } = await divided(doubled, { seed });
      expect([...train, ...heldOut].sort((a, b) => a - b)).toEqual([...doubled.keys()]);
      for (let i = 0; i < 10; i++) expect(heldOut.includes(i)).toBe(heldOut.includes(40 + i));
      expect(found).toMatchObject({
        duplicateGroups: 10,
        nearDuplicates: { count: 10, rows: Array.from({ length: 10 }, (_, i) => 40 + i) },
      });
    }
    const apart = await divided(doubled, { keepDuplicatesTogether: false });
    expect(apart).toMatchObject({ duplicateGroups: 0, nearDuplicates: { count: 0 }, leaks: { count: 0 } });
    expect(apart.heldOut.filter((i) => i < 10 && !apart.heldOut.includes(40 + i))).not.toEqual([]);
  });

  it('is even in a column, and counts its values', async () => {
    const { heldOut, strata } = await divided(rows, { stratifyBy: 'kind', heldOut: 8 });
    expect(strata).toEqual([
      { value: 'usual', rows: 30, heldOutRows: 6 },
      { value: 'rare', rows: 10, heldOutRows: 2 },
    ]);
    expect(heldOut.filter((i) => i % 4 === 0)).toHaveLength(2);
    expect((await divided(rows)).strata).toBeNull();
  });

  it('takes numbers, nothing and absence for values, and names a column that no row has', async () => {
    const mixed = Array.from({ length: 12 }, (_, i) => ({ ...row(i), kind: [1, '1', null, undefined, true, { a: 1 }][i % 6] }));
    const { strata } = await divided(mixed, { stratifyBy: 'kind', heldOut: 0 });
    expect(strata?.map(({ value, rows: count }) => [value, count])).toEqual([
      ['1', 4],
      ['null', 4],
      ['true', 2],
      ['{"a":1}', 2],
    ]);
    await expect(divided(rows, { stratifyBy: 'class' })).rejects.toMatchObject({
      code: 'data/missing-column',
      details: { file: 'rows.json', column: 'class' },
    });
  });

  it('holds out a file of its own whole, and reports its rows that were trained on', async () => {
    const heldOutRows = [
      { input: 'another message', output: '1' },
      { input: 'Message 3 of many', output: '3' },
      { input: 'one more', output: '2' },
      { input: 'One more', output: '2' },
    ];
    const { train, heldOut, leaks, nearDuplicates, strata } = await divided(rows, { stratifyBy: 'kind' }, TEMPLATE, heldOutRows);
    expect([train.length, heldOut, strata]).toEqual([40, [0, 1, 2, 3], null]);
    expect(leaks).toEqual({ count: 1, rows: [1] });
    expect(nearDuplicates.count).toBe(0);
  });
});

describe('groupRows', () => {
  it('compares the columns of the mapping alone, without the words of the template', async () => {
    const rows = [
      { input: 'a b c', output: 'x', note: 1 },
      { input: 'a b c', output: 'x', note: 2 },
      { input: 'a b c', output: 'y', note: 1 },
    ];
    expect(await groupsBy(rows, TEMPLATE)).toEqual([0, 0, 2]);
    expect(await groupsBy(rows, { kind: 'text', column: 'input' })).toEqual([0, 0, 0]);
    expect(await groupsBy(rows, { kind: 'prompt-completion', prompt: 'input', completion: 'note' })).toEqual([0, 1, 0]);
  });

  it('reads conversations in both spellings', async () => {
    const rows = [
      {
        chat: [
          { role: 'user', content: 'Two lamps' },
          { role: 'assistant', content: 'lamp x2' },
        ],
      },
      {
        chat: [
          { from: 'human', value: 'two lamps' },
          { from: 'gpt', value: 'lamp x2' },
        ],
      },
      {
        chat: [
          { from: 'human', value: 'two lamps' },
          { from: 'gpt', value: 'lamp x3' },
        ],
      },
      { chat: null },
      {},
    ];
    expect(await groupsBy(rows, { kind: 'messages', column: 'chat' })).toEqual([0, 0, 2, 3, 3]);
  });

  it('names a column and a template that are of no use', async () => {
    const rows = [{ input: 'a' }];
    await expect(groupsBy(rows, { kind: 'text', column: 'text' })).rejects.toMatchObject({ code: 'data/missing-column' });
    await expect(groupsBy(rows, { kind: 'template', template: '{input' })).rejects.toMatchObject({
      code: 'template/invalid',
    });
  });
});
