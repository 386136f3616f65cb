import { describe, expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import { csvText } from '#data/csv-text.ts';
import { pythonText } from '#data/python-text.ts';
import { columnsOf, plainText } from '#data/rows.ts';
import { missingValue, parseTemplate, renderTemplate, splitAtAnswer, unescapeFlag } from '#data/template.ts';
import olive from './fixtures/olive.json' with { type: 'json' };

const set = { file: 'rows.json', columns: ['input', 'output', 'my col', 'a.b', 'meta'] };
const row = { input: 'in', output: 'out', 'my col': 1, 'a.b': true, meta: { tags: ['x', 'y'], name: null } };

function errorOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('parseTemplate and renderTemplate', () => {
  const render = (source: string): string => renderTemplate(parseTemplate(source, set), row, plainText);

  it('fills placeholders and leaves the rest', () => {
    expect(render('### {input}\n{output}!')).toBe('### in\nout!');
    expect(render('no placeholder')).toBe('no placeholder');
    expect(render('')).toBe('');
    expect(render('{my col}|{a.b}')).toBe('1|true');
  });

  it('reads doubled braces as braces', () => {
    expect(render('{{"a": "{input}"}}')).toBe('{"a": "in"}');
    expect(render('{{{input}}}')).toBe('{in}');
    expect(render('{{input}}')).toBe('{input}');
    expect(render('}}{{')).toBe('}{');
  });

  it('looks into objects and lists', () => {
    expect(render('{meta[tags][1]}')).toBe('y');
    expect(render('{meta[tags]}')).toBe('["x","y"]');
  });

  it('does not fill what a value looks like', () => {
    expect(renderTemplate(parseTemplate('{input}', set), { input: '{output}' }, plainText)).toBe('{output}');
  });

  it.each([
    ['{input} {answer}', 'data/missing-column', 8],
    ['a {input', 'template/invalid', 2],
    ['a } b', 'template/invalid', 2],
    ['{in{put}', 'template/invalid', 3],
    ['x{}', 'template/invalid', 1],
    ['{input!r}', 'template/invalid', 6],
    ['{input:>5}', 'template/invalid', 6],
    ['{input}}', 'template/invalid', 7],
    ['{meta[}', 'data/missing-column', 0],
  ])('%s is %s at %i', (source, code, at) => {
    const error = errorOf(() => parseTemplate(source, set));
    expect([error.code, error.details['at']]).toEqual([code, at]);
    expect(error.message).toContain(`character ${at + 1}:`);
  });

  it('names the columns that exist', () => {
    const error = errorOf(() => parseTemplate('{answer}', set));
    expect(error.message).toBe(
      "template, character 1: rows.json has no column 'answer'; its columns are 'input', 'output', 'my col', 'a.b', 'meta'",
    );
    expect(error.details).toMatchObject({ file: 'rows.json', column: 'answer', at: 0 });
  });

  it('is not fooled by names that every object has', () => {
    expect(errorOf(() => parseTemplate('{constructor}', set)).code).toBe('data/missing-column');
    expect(missingValue(parseTemplate('{meta[toString]}', set), row)).toBe('meta[toString]');
  });
});

describe('missingValue', () => {
  it('names the first column that a row has nothing in', () => {
    const template = parseTemplate('{input}{output}{meta[name]}', set);
    expect(missingValue(template, row)).toBe('meta[name]');
    expect(missingValue(template, { input: '', output: null })).toBe('output');
    expect(missingValue(template, { ...row, meta: { name: 0 } })).toBeUndefined();
  });
});

describe('splitAtAnswer', () => {
  it('takes the last placeholder and what follows as the answer', () => {
    const { prompt, answer } = splitAtAnswer(parseTemplate('Q: {input}\nA: {output}\n###', set));
    expect([prompt.source, answer.source]).toEqual(['Q: {input}\nA: ', '{output}\n###']);
    expect(renderTemplate(prompt, row, plainText) + renderTemplate(answer, row, plainText)).toBe('Q: in\nA: out\n###');
  });

  it('allows an answer alone, and refuses a template of no placeholder', () => {
    expect(splitAtAnswer(parseTemplate('{output}', set)).prompt.parts).toEqual([]);
    expect(errorOf(() => splitAtAnswer(parseTemplate('hello', set))).code).toBe('template/invalid');
  });
});

describe('unescapeFlag', () => {
  it('reads the escapes that Olive reads from a flag, and leaves other text whole', () => {
    expect(unescapeFlag('a\\nb\\t\\\\n\\x41\\u4e2d\\U0001F375\\q 中')).toBe('a\nb\t\\nA中🍵\\q 中');
    expect(unescapeFlag('\\\'\\"')).toBe('\'"');
  });
});

describe('pythonText', () => {
  it("writes values as Olive's str.format does on what datasets has read", () => {
    const rows = olive.values;
    const template = parseTemplate(olive.valueTemplate, { file: 'values.jsonl', columns: columnsOf(rows) });
    const text = pythonText(rows);
    expect(rows.map((values) => renderTemplate(template, values, text))).toEqual(olive.valueTexts);
  });

  it("writes CSV cells as Olive's str.format does on what pandas has typed", () => {
    const columns = Object.keys(olive.csvCells) as (keyof typeof olive.csvCells)[];
    const rows = [0, 1, 2].map((i) => Object.fromEntries(columns.map((column) => [column, olive.csvCells[column][i]])));
    const template = parseTemplate(columns.map((column) => `{${column}}`).join('|'), { file: 'cells.csv', columns });
    const text = csvText(rows);
    expect(rows.map((cells) => renderTemplate(template, cells, text))).toEqual(olive.csvTexts);
  });

  it('leaves a column as it is when one of its texts is no date', () => {
    const rows = [{ day: '2024-05-01' }, { day: '2024-13-01' }];
    expect(pythonText(rows)(rows[0]?.day, 'day')).toBe('2024-05-01');
  });

  it.each([
    [1e16, '1e+16'],
    [123456.75, '123456.75'],
    [0.0001, '0.0001'],
    [0.000012345, '1.2345e-05'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740992, '9007199254740992.0'],
    [-0, '-0.0'],
  ])('writes %d in a column with fractions as %s', (value, expected) => {
    expect(pythonText([{ n: value }, { n: 0.5 }])(value, 'n')).toBe(expected);
  });
});
