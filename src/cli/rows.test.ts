import { describe, expect, it } from 'vitest';
import { parseFinetuneFlags } from '#cli/flags.ts';
import { chooseRows } from '#cli/rows.ts';
import { type Row, type RowSet, columnsOf } from '#data/rows.ts';

const setOf = (file: string, rows: Row[]): RowSet => ({ file, columns: columnsOf(rows), rows });
const WORDS = ['amber', 'birch', 'cedar', 'dune', 'ember', 'fjord', 'grove', 'heath', 'inlet', 'juniper'];
/** Rows that say different things, each of `kind` even or odd. */
const rows = Array.from({ length: 30 }, (_, i) => ({
  text: `${WORDS[i % 10]} ${WORDS[(i * 7 + 3) % 10]} ${i * 911} ${WORDS[(i + (i >> 2)) % 10]} ${i * i}`,
  kind: i % 3 === 0 ? 'odd' : 'even',
}));
const set = setOf('rows.json', rows);

function choose(flags: string, { of = set, evalSet = null }: { of?: RowSet; evalSet?: RowSet | null } = {}) {
  const parsed = parseFinetuneFlags(['-m', 'm', '--data_files', 'd', ...flags.split(' ').filter(Boolean)]);
  return chooseRows({ set: of, evalSet }, parsed, parsed.recipe);
}
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('chooseRows', () => {
  it('trains on every row and measures none without flags', async () => {
    expect(await choose('')).toEqual({ train: { set, rows: range(0, 30) }, validation: null, lines: [] });
  });

  it('takes splits as they stand, on both sides', async () => {
    const { train, validation, lines } = await choose('--train_split train[:80%] --eval_split train[-12:]');
    expect([train.rows, validation?.rows]).toEqual([range(0, 24), range(18, 30)]);
    expect(lines).toEqual([
      'split: 24 rows to train on, 12 to measure',
      '  6 of the rows that are measured are trained on, too: leave them out by --train_split',
    ]);
  });

  it('draws a share of the rows to train on, the same ones for the same seed', async () => {
    const drawn = await choose('--train_split train[10:] --eval_split 0.2 --seed 3');
    expect(drawn.validation?.rows).toHaveLength(4);
    expect([...drawn.train.rows, ...(drawn.validation?.rows ?? [])].sort((a, b) => a - b)).toEqual(range(10, 30));
    expect(await choose('--train_split train[10:] --eval_split 0.2 --seed 3')).toEqual(drawn);
    expect((await choose('--train_split train[10:] --eval_split 0.2 --seed 4')).validation).not.toEqual(drawn.validation);
  });

  it('keeps the share of each value, and says how many of each are held out', async () => {
    const { validation, lines } = await choose('--eval_split 6 --stratify_by kind');
    expect(validation?.rows.filter((row) => rows[row].kind === 'odd')).toHaveLength(2);
    expect(lines).toEqual(['split: 24 rows to train on, 6 to measure', '  even: 4 of 20 held out', '  odd: 2 of 10 held out']);
  });

  it('keeps rows that say almost the same on one side when it is told to', async () => {
    const twice = setOf('twice.json', [...rows, ...rows.map(({ text, kind }) => ({ text: `${text}!`, kind }))]);
    const { train, validation, lines } = await choose('--eval_split 10 --keep_duplicates_together true', { of: twice });
    expect(validation?.rows).toHaveLength(10);
    for (const row of validation?.rows ?? []) expect(train.rows).not.toContain((row + 30) % 60);
    expect(lines[1]).toBe('  30 rows say almost the same as an earlier one; such rows stay on one side');
  });

  it('measures all of a file of its own, and tells which rows of it say what a training row says', async () => {
    const evalSet = setOf('eval.json', [{ text: 'something else altogether, at length and in other words' }, { text: rows[4].text }]);
    const { train, validation, lines } = await choose('--eval_files e --keep_duplicates_together true', { evalSet });
    expect(train.rows).toEqual(range(0, 30));
    expect(validation).toEqual({ set: evalSet, rows: [0, 1] });
    expect(lines).toEqual([
      'split: 30 rows to train on, 2 to measure',
      '  1 of the rows that are measured say almost the same as one that is trained on',
    ]);
  });

  it('refuses to hold out the only row', async () => {
    await expect(choose('--eval_split 0.5', { of: setOf('one.json', rows.slice(0, 1)) })).rejects.toThrow(
      '--eval_split: 1 rows of which none can be held out was found, at least two was expected',
    );
  });
});
