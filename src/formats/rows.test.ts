import { describe, expect, test } from 'vitest';
import { memorySource, type ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { countingSource, MUTATIONS, readMutations } from '#formats/mutations.ts';
import { openRows, type Row, type RowsFile } from '#formats/rows.ts';

const encoder = new TextEncoder();
const sourceOf = (name: string, data: string | Uint8Array) => memorySource(name, typeof data === 'string' ? encoder.encode(data) : data);

async function readAll(name: string, data: string | Uint8Array): Promise<{ file: RowsFile; rows: Row[] }> {
  const file = await openRows(sourceOf(name, data));
  return { file, rows: await file.rows(0, file.rowCount) };
}

async function failure(name: string, data: string | Uint8Array): Promise<AppError> {
  const error: unknown = await openRows(sourceOf(name, data)).then(
    () => new Error('it was opened'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

const utf16 = (text: string, bigEndian: boolean) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return new Uint8Array(bigEndian ? bytes.swap16() : bytes);
};

describe('openRows', () => {
  test.each<[string, string, string, RowsFile['format'], Row[]]>([
    [
      'a JSON array',
      'a.json',
      '[{"input":"a","n":1},{"output":null,"input":["x"]}]',
      'json',
      [
        { input: 'a', n: 1 },
        { output: null, input: ['x'] },
      ],
    ],
    [
      'a JSON array over lines, strings full of brackets',
      'a.json',
      ' [\n {"a":"]},[{\\"\\\\"} ,\n\t{"a":{"b":[[]]}}\n]\n',
      'json',
      [{ a: ']},[{"\\' }, { a: { b: [[]] } }],
    ],
    ['an object with one array', 'a.json', '{"version":"1, [x]","data":[{"a":1},{"a":2}],"n":{"m":[3]}}', 'json', [{ a: 1 }, { a: 2 }]],
    ['one object over lines', 'a.json', '{\n"a": 1,\n"tags": ["x", "y"]\n}', 'json', [{ a: 1, tags: ['x', 'y'] }]],
    ['JSON lines', 'a.jsonl', '{"a":1}\n\n  {"a":"2"}  \r\n{"b":{}}', 'jsonl', [{ a: 1 }, { a: '2' }, { b: {} }]],
    ['JSON lines called .json', 'a.json', '{"a":1}\n{"a":2}\n', 'jsonl', [{ a: 1 }, { a: 2 }]],
    [
      'one line of chat messages',
      'a.jsonl',
      '{"messages":[{"role":"user","content":"hi"}]}\n',
      'jsonl',
      [{ messages: [{ role: 'user', content: 'hi' }] }],
    ],
    ['JSON called .csv', 'a.csv', '[{"a":1}]', 'json', [{ a: 1 }]],
    ['JSON without an extension', 'rows', '\n[{"a":1}]', 'json', [{ a: 1 }]],
    [
      'CSV',
      'a.csv',
      'a,b\n1,x y\n"2","line\none, ""quoted"""\n',
      'csv',
      [
        { a: '1', b: 'x y' },
        { a: '2', b: 'line\none, "quoted"' },
      ],
    ],
    [
      'CSV of Windows with empty lines',
      'a.csv',
      'a,b\r\n1,"x\r\ny"\r\n\r\n3,\r\n',
      'csv',
      [
        { a: '1', b: 'x\r\ny' },
        { a: '3', b: '' },
      ],
    ],
    [
      'CSV of an old Macintosh',
      'a.csv',
      'a,b\r1,"x"\r3,4\r',
      'csv',
      [
        { a: '1', b: 'x' },
        { a: '3', b: '4' },
      ],
    ],
    ['CSV with quotes inside a field', 'a.csv', 'a,b\n5" pipe,he said "no"\n', 'csv', [{ a: '5" pipe', b: 'he said "no"' }]],
    ['CSV with an index', 'a.csv', ',text\n0,a\n', 'csv', [{ 'Unnamed: 0': '0', text: 'a' }]],
    ['CSV with a bracket', 'a.csv', '[id],b\n1,2\n', 'csv', [{ '[id]': '1', b: '2' }]],
    ['CSV with one column', 'a.csv', 'text\na\n\n""\nb', 'csv', [{ text: 'a' }, { text: '' }, { text: 'b' }]],
    ['CSV with semicolons', 'a.csv', 'a;b\n1,5;"x;y"\n', 'csv', [{ a: '1,5', b: 'x;y' }]],
    ['TSV', 'a.tsv', 'a\tb, c\n1\t2\n', 'tsv', [{ a: '1', 'b, c': '2' }]],
    ['TSV called .csv', 'a.csv', 'a\tb\n1\t2,3\n', 'tsv', [{ a: '1', b: '2,3' }]],
    ['TSV with one column', 'a.tsv', 'a\n1,2\n', 'tsv', [{ a: '1,2' }]],
    ['TSV called .tab, quoted', 'a.tab', 'a\n"1\t""x"""\n', 'tsv', [{ a: '1\t"x"' }]],
    ['a text of paragraphs', 'a.txt', '\n One,\ntwo.  \n\n \n漢 three\n', 'text', [{ text: 'One,\ntwo.' }, { text: '漢 three' }]],
    ['a text of paragraphs of Windows', 'a.txt', 'a\r\nb\r\n\r\nc', 'text', [{ text: 'a\r\nb' }, { text: 'c' }]],
    ['a text of an old Macintosh', 'a.md', 'a\r\rb\r', 'text', [{ text: 'a' }, { text: 'b' }]],
    [
      'a text of lines, a blank line at its end',
      'a.txt',
      'one\n two\nthree\n\n',
      'text',
      [{ text: 'one' }, { text: 'two' }, { text: 'three' }],
    ],
    ['a text that opens with a bracket', 'a.txt', '[Verse]\nla', 'text', [{ text: '[Verse]' }, { text: 'la' }]],
    ['JSON called .txt', 'a.txt', '{"a":1}\n{"a":2}', 'jsonl', [{ a: 1 }, { a: 2 }]],
    ['characters of every length', 'a.csv', 'é,漢\n😀,\u0080\uffff\n', 'csv', [{ é: '😀', 漢: '\u0080\uffff' }]],
    ['a byte-order mark', 'a.csv', '\ufeffa,b\n\ufeff1,2\n', 'csv', [{ a: '\ufeff1', b: '2' }]],
    ['a byte-order mark before JSON', 'a.json', '\ufeff[{"a":"\ufeff"}]', 'json', [{ a: '\ufeff' }]],
    [
      'keys that objects inherit',
      'a.csv',
      '__proto__,constructor\n1,2\n',
      'csv',
      [
        Object.fromEntries([
          ['__proto__', '1'],
          ['constructor', '2'],
        ]),
      ],
    ],
  ])('%s', async (_, name, data, format, rows) => {
    const read = await readAll(name, data);
    expect(read.rows).toEqual(rows);
    expect(read.file.format).toBe(format);
    expect(read.file.rowCount).toBe(rows.length);
    expect(read.file.columns).toEqual([...new Set(rows.flatMap((row) => Object.keys(row)))]);
  });

  test.each([false, true])('UTF-16, big-endian: %s', async (bigEndian) => {
    expect((await readAll('a.csv', utf16('é,b\n😀,2\n', bigEndian))).rows).toEqual([{ é: '😀', b: '2' }]);
  });

  test.each<[string, string, string | Uint8Array, string, string]>([
    ['an empty file', 'a.json', '', 'data/no-rows', 'no rows were found'],
    ['a mark and blanks', 'a.jsonl', '\ufeff \n ', 'data/no-rows', 'no rows'],
    ['an empty array', 'a.json', '[ ]', 'data/no-rows', 'no rows'],
    ['an object with an empty array', 'a.json', '{"rows":[]}', 'data/no-rows', 'no rows'],
    ['a header alone', 'a.csv', 'a,b\n\n', 'data/no-rows', 'no rows'],
    ['blank lines', 'a.csv', '\n\r\n', 'data/no-rows', 'no rows'],
    ['Parquet cut off', 'a.json', 'PAR1aaaa', 'data/invalid', 'its footer cannot be read as Parquet'],
    ['a text of blanks', 'a.txt', '\n \t\r\n\n', 'data/no-rows', 'no rows were found'],
    ['a text that is not UTF-8', 'a.txt', Uint8Array.of(97, 10, 10, 98, 0xff), 'data/invalid', 'byte 4 (0xff) is not UTF-8'],
    ['a workbook', 'a.csv', 'PK\u0003\u0004aaaa', 'format/unsupported', 'Excel'],
    ['gzip', 'a.jsonl', Uint8Array.of(0x1f, 0x8b, 8, 0), 'format/unsupported', 'gzip'],
    ['UTF-16 without a mark', 'a.csv', utf16('a,b', false).subarray(2), 'data/invalid', 'byte 1 is 0'],
    ['broken JSON lines', 'a.jsonl', '{"a":1}\n\n{"a":é 2}\n', 'data/invalid', 'row 2: not JSON at line 3, column 6: "é" was found'],
    [
      'a truncated line',
      'a.jsonl',
      '{"a":1}\n{"a":"é',
      'data/invalid',
      'row 2: not JSON at line 2, column 8: the text ends inside a string',
    ],
    ['a line that is a list', 'a.jsonl', '{"a":1}\n[1,2]\n', 'data/invalid', 'row 2 at line 2 is an array of 2, an object was expected'],
    ['text called .jsonl', 'a.jsonl', 'hello', 'data/invalid', 'row 1: not JSON at line 1, column 1: "h" was found'],
    ['text called .json', 'a.json', 'hello', 'data/invalid', 'not JSON at line 1, column 1: "h" was found'],
    ['a word', 'a.json', '"hello"', 'data/invalid', 'the string "hello" was found, an array of objects was expected'],
    ['an array of strings', 'a.json', '[{},\n"x"]', 'data/invalid', 'row 2 at line 2 is the string "x", an object was expected'],
    ['a trailing comma in an array', 'a.json', '[{"a":1},\n]', 'data/invalid', 'not JSON at line 2, column 1: "]" was found'],
    [
      'a missing comma in an array',
      'a.json',
      '[{"a":1}\n{"a":2}]',
      'data/invalid',
      'row 1: not JSON at line 2, column 1: "{" was found, the end of the text',
    ],
    [
      'a broken row in an array',
      'a.json',
      '[{"a":1},\n {"a":é,"b":2}]',
      'data/invalid',
      'row 2: not JSON at line 2, column 7: "é" was found',
    ],
    [
      'an array that does not end',
      'a.json',
      '[{"a":1},{"a":',
      'data/invalid',
      'a.json: not JSON at line 1, column 15: the end of the text was found',
    ],
    [
      'two roots',
      'a.json',
      '[{"a":1}]\n[]',
      'data/invalid',
      'not JSON at line 2, column 1: "[" was found, the end of the text was expected',
    ],
    ['two arrays', 'a.json', '{"train":[{"a":1}],"test":[{"a":2}]}', 'data/invalid', '2 arrays were found (train, test)'],
    [
      'broken JSON around the rows',
      'a.json',
      '{"é":"ü",\n"data":[{"a":1}],}',
      'data/invalid',
      'not JSON at line 2, column 18: "}" was found',
    ],
    ['too few fields', 'a.csv', 'a,b\n1,2\n\n"x\ny",2\n3\n', 'data/invalid', 'row 3 at line 6 has 1 fields, 2 were expected'],
    ['too many fields', 'a.csv', 'a,b\n1,2,3\n', 'data/invalid', 'row 1 at line 2 has 3 fields, 2 were expected'],
    ['a quote that does not close', 'a.csv', 'a,b\n1,"x\n2,y\n', 'data/invalid', 'line 2, column 3: this quote is not closed'],
    ['text after a quote', 'a.csv', 'a,b\n1,"x" y\n', 'data/invalid', 'line 2, column 6: a closing quote is followed'],
    ['a column twice', 'a.csv', 'a,b,a\n1,2,3\n', 'data/invalid', 'the column a was found twice'],
    ['bytes that are not UTF-8', 'a.csv', Uint8Array.of(97, 10, 98, 0xc3, 0x28, 10), 'data/invalid', 'byte 3 (0xc3) is not UTF-8'],
    ['a character cut off', 'a.csv', encoder.encode('a\nb😀').subarray(0, -1), 'data/invalid', 'byte 3 (0xf0) is not UTF-8'],
    [
      'bytes that are not UTF-8 in JSON',
      'a.jsonl',
      new Uint8Array([...encoder.encode('{"a":1}\n{"a":"'), 0xff, 0x22, 0x7d]),
      'data/invalid',
      'byte 14 (0xff)',
    ],
    ['half a surrogate pair', 'a.csv', new Uint8Array([...utf16('a\nb', false), 0x00, 0xd8]), 'data/invalid', 'byte 8 is not UTF-16LE'],
  ])('%s', async (_, name, data, code, message) => {
    const error = await failure(name, data);
    expect(error.message).toContain(message);
    expect(error.message.startsWith(`${name}: `)).toBe(true);
    expect(error.code).toBe(code);
  });

  test('a file past 2 GiB is refused unread', async () => {
    const source: ByteSource = { name: 'big.jsonl', sizeBytes: 2 ** 31 + 1, read: () => Promise.reject(new Error('it was read')) };
    await expect(openRows(source)).rejects.toThrow('big.jsonl: 2147483649 bytes were found, at most 2147483648 (2 GiB)');
  });

  test('more columns than a dataset has are refused', async () => {
    const row = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`c${i}`, i])));
    expect((await failure('a.jsonl', row)).message).toBe('a.jsonl: more than 4096 columns were found');
  });

  test.each<[string, (rows: Row[]) => string]>([
    ['a.jsonl', (rows) => rows.map((row) => JSON.stringify(row)).join('\n')],
    ['a.json', (rows) => JSON.stringify(rows)],
    ['a.csv', (rows) => `i,text\n${rows.map(({ i, text }) => `${i as string},"${(text as string).replaceAll('"', '""')}"`).join('\n')}`],
  ])('%s of 10 MB: rows across chunks and batches, each read by its range', async (name, write) => {
    // Rows of 30 to 5,000 characters: their ends fall everywhere around the 4 MiB chunks.
    const rows = Array.from({ length: 4000 }, (_, i) => ({ i: String(i), text: `"é,\n😀${'ab]}'.repeat((i * 7919) % 1300)}` }));
    const source = countingSource(name, encoder.encode(write(rows)));
    const file = await openRows(source);
    expect(source.sizeBytes).toBeGreaterThan(10_000_000);
    expect(source.largestRead).toBeLessThan(10_000_000);
    expect(file.rowCount).toBe(4000);
    expect(await file.rows(0, 4000)).toEqual(rows);
    source.bytesRead = 0;
    expect(await file.rows(2000, 2003)).toEqual(rows.slice(2000, 2003));
    expect(source.bytesRead).toBeLessThan(20_000);
    await expect(file.rows(3999, 4001)).rejects.toThrow('rows 3999 to 4001 of 4000');
    expect(await file.rows(7, 7)).toEqual([]);
  });

  test.each([
    ['m.json', '{"version":1,"data":[{"input":"a \\"b\\" é","n":[1,2]},\n{"input":"😀","output":{"x":null}}]}'],
    ['m.jsonl', '{"input":"a \\"b\\" é","n":[1,2]}\n\n{"input":"😀","output":{"x":null}}\r\n{"input":""}\n'],
    ['m.csv', 'input,output\n"a ""b"" é",1\r\n\n😀,"x\ny"\n'],
    ['m.tsv', 'input\toutput\n"a ""b"" é"\t1\r\n\n😀\t"x\ny"\n'],
  ])(`%s: ${MUTATIONS} damaged copies`, { timeout: 60_000 + 2 * MUTATIONS }, async (name, text) => {
    const outcome = await readMutations(name, encoder.encode(text), async (source) => {
      const file = await openRows(source);
      return file.rows(0, file.rowCount);
    });
    expect(outcome.values).toBeGreaterThan(MUTATIONS / 50);
    expect(outcome.errors.get('data/invalid')).toBeGreaterThan(MUTATIONS / 20);
    // Probe, index, batches, once more for the place of an error: a few passes over a small file, never more than it has at once.
    expect(outcome.readRatio).toBeLessThan(12);
    expect(outcome.slowestMs).toBeLessThan(1000);
  });
});
