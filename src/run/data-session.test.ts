import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DataSettings } from '#protocol/data.ts';
import type { NamedFile } from '#protocol/trainer.ts';
import { DEFAULTS, dataOptions, holdOutOptions } from '#recipe/recipe.ts';
import { DataSession } from '#run/data-session.ts';

const fixture = (path: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`../cli/fixtures/${path}`, import.meta.url)));
const named = (path: string): NamedFile => ({ path: basename(path), file: new Blob([fixture(path)]) });
const rowsFile = (name: string, rows: unknown): NamedFile => ({ path: name, file: new Blob([JSON.stringify(rows)]) });

const MODEL = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'].map((name) => {
  return { ...named(`tiny-llama/${name}`), path: `tiny-llama/${name}` };
});

function settings(changes: Partial<DataSettings> = {}): DataSettings {
  const mapping = { kind: 'template' as const, template: '{input}\n{output}' };
  const recipe = { ...DEFAULTS, model: 'tiny', data_files: ['rows.json'], mapping };
  return { ...dataOptions(recipe), ...holdOutOptions(recipe), heldOut: 0, ...changes };
}

let session: DataSession;
beforeEach(() => {
  session = new DataSession(() => {});
});

async function opened(dataset: NamedFile & { heldOut?: NamedFile } = named('rows.json')): Promise<DataSession> {
  await session.openTokenizer({ name: 'tiny-llama', files: MODEL });
  await session.openDataset(dataset);
  return session;
}

describe('opening', () => {
  it('summarises the tokenizer of a folder', async () => {
    expect(await session.openTokenizer({ name: 'tiny-llama', files: MODEL })).toEqual({
      vocabSize: 500,
      bosToken: '<s>',
      eosToken: '</s>',
      hasChatTemplate: true,
    });
  });

  it('summarises a dataset, guesses its mapping and gives windows of rows', async () => {
    const summary = await session.openDataset(named('rows.json'));
    expect(summary).toMatchObject({
      name: 'rows.json',
      columns: ['input', 'output', 'quantity', 'price'],
      heldOut: null,
      guess: { mapping: { kind: 'template', template: '{input}\n{output}' }, loss: 'answer' },
    });
    const rows = await session.rows({ start: 2, end: 4 });
    expect(rows.map(({ output }) => output)).toEqual(['status', 'bowl x3, 上海']);
    expect(await session.rows({ start: summary.rowCount - 1, end: summary.rowCount + 50 })).toHaveLength(1);
  });

  it('opens Parquet and plain text, and says what a row of these is', async () => {
    const parquet = readFileSync(new URL('../formats/fixtures/parquet/datasets.parquet', import.meta.url));
    expect(await session.openDataset({ path: 'chats.parquet', file: new Blob([new Uint8Array(parquet)]) })).toMatchObject({
      format: 'parquet',
      columns: ['messages', 'tools'],
      rowCount: 3,
      guess: { mapping: { kind: 'messages', column: 'messages', tools: 'tools' }, recognised: { kind: 'openai-chat', hasTools: true } },
    });
    expect((await session.rows({ start: 1, end: 2 }))[0].messages).toMatchObject([{ content: 'Weather in 上海?' }, { role: 'assistant' }]);
    for (const [text, unit, rowCount] of [
      ['One,\ntwo.\n\nThree.', 'paragraph', 2],
      ['One,\ntwo.\nThree.', 'line', 3],
    ] as const) {
      expect(await session.openDataset({ path: 'book.txt', file: new Blob([text]) })).toMatchObject({
        format: 'text',
        columns: ['text'],
        rowCount,
        guess: { mapping: { kind: 'text', column: 'text' }, loss: 'all', recognised: { kind: 'text', unit } },
      });
    }
  });

  it('keeps the dataset and the tokenizer that were open when the next ones are of no use', async () => {
    await opened();
    await expect(session.openDataset(rowsFile('empty.json', []))).rejects.toMatchObject({
      code: 'data/no-rows',
      details: { file: 'empty.json' },
    });
    const broken = { path: 'held.json', file: new Blob(['{']) };
    await expect(session.openDataset({ ...named('rows.json'), heldOut: broken })).rejects.toMatchObject({ code: 'data/invalid' });
    await expect(session.openTokenizer({ name: 'x', files: [MODEL[0]] })).rejects.toMatchObject({
      code: 'model/missing-file',
    });
    expect((await session.preview({ row: 0, settings: settings() })).text).toContain('teapot x2, Lisbon, Friday');
  });

  it('says what is missing before anything is open', async () => {
    await expect(session.rows({ start: 0, end: 1 })).rejects.toMatchObject({ code: 'data/no-rows' });
    await expect(session.preview({ row: 0, settings: settings() })).rejects.toMatchObject({ code: 'run/no-model' });
    expect(() => session.takeRows()).toThrow(/made ready/);
  });
});

describe('preview', () => {
  it('shows the tokens that the model sees, those of the answer marked', async () => {
    await opened();
    const preview = await session.preview({ row: 0, settings: settings() });
    expect(preview).toMatchObject({ row: 0, skipped: null, isMerged: false, fullLength: preview.tokens.length });
    expect(preview.text).toContain('Two green teapots to Lisbon by Friday, please.\nteapot x2, Lisbon, Friday');
    const first = preview.tokens.findIndex(({ hasLoss }) => hasLoss);
    expect(preview.tokens.slice(first).every(({ hasLoss }) => hasLoss)).toBe(true);
    expect(
      preview.tokens
        .slice(first, -1)
        .map(({ text }) => text)
        .join(''),
    ).toBe('teapot x2, Lisbon, Friday');
    expect(preview.tokens.at(-1)).toMatchObject({ text: '</s>', hasLoss: true, isSpecial: true });
  });

  it('cuts at the greatest length and tells the length before', async () => {
    await opened();
    const whole = await session.preview({ row: 0, settings: settings({ loss: 'all' }) });
    const cut = await session.preview({ row: 0, settings: settings({ loss: 'all', maxLength: 5 }) });
    expect(cut.tokens).toEqual(whole.tokens.slice(0, 5));
    expect(cut.fullLength).toBe(whole.fullLength);
  });

  it('says why a row is left out', async () => {
    await opened(
      rowsFile('rows.json', [
        { input: 'Hi', output: 'yes' },
        { input: 'Hi', output: null },
      ]),
    );
    expect((await session.preview({ row: 1, settings: settings() })).skipped).toEqual({ why: 'missing', column: 'output' });
    const short = await session.preview({ row: 0, settings: settings({ maxLength: 2 }) });
    expect(short.skipped).toEqual({ why: 'no-loss', column: null });
  });

  it('names the column that a template asks for in vain', async () => {
    await opened();
    const mapping = { kind: 'template' as const, template: '{input} {outptu}' };
    await expect(session.preview({ row: 0, settings: settings({ mapping }) })).rejects.toMatchObject({
      code: 'data/missing-column',
      details: { file: 'rows.json', column: 'outptu', at: 8 },
    });
  });
});

const lengthsOf = (offsets: Uint32Array): number[] => [...offsets].map((end, i) => end - (offsets[i - 1] ?? 0)).slice(1);

describe('preparing', () => {
  it('packs the training rows one after another and keeps them for a second run', async () => {
    await opened();
    const { report, rowLengths } = await session.prepare({ settings: settings({ heldOut: 2 }) });
    expect(report).toMatchObject({ heldOutRows: 2, trainRows: report.rowCount - 2, sequences: rowLengths.length, skipped: [] });
    expect(rowLengths.reduce((sum, length) => sum + length, 0)).toBe(report.tokens);
    for (let time = 0; time < 2; time++) {
      const { tokens, lossMask, offsets } = session.takeRows().train;
      expect(lengthsOf(offsets)).toEqual([...rowLengths]);
      expect(tokens).toHaveLength(report.tokens);
      expect(lossMask.reduce((sum, bit) => sum + bit, 0)).toBe(report.lossTokens);
    }
  });

  it('reports lengths and what became of each row', async () => {
    const long = 'word '.repeat(40);
    await opened(
      rowsFile('rows.json', [
        { input: 'a', output: 'b' },
        { input: 'a', output: null },
        { input: 'a', output: long },
        { input: long, output: 'b' },
      ]),
    );
    const { report } = await session.prepare({ settings: settings({ maxLength: 20 }) });
    expect(report.skipped).toEqual([
      { why: 'missing', count: 1, rows: [1] },
      { why: 'no-loss', count: 1, rows: [3] },
    ]);
    expect(report).toMatchObject({ rowCount: 4, sequences: 2, maxTokens: 20, truncatedRows: { count: 1, rows: [2] } });
    expect(report.minTokens).toBeLessThan(report.maxTokens);
  });

  it('ends an earlier call when a later one comes, and keeps the later result', async () => {
    await opened(
      rowsFile(
        'rows.json',
        Array.from({ length: 500 }, (_, i) => ({ input: `message ${i}`, output: `${i}` })),
      ),
    );
    const [first, second] = [
      session.prepare({ settings: settings({ heldOut: 3 }) }),
      session.prepare({ settings: settings({ heldOut: 5 }) }),
    ];
    await expect(first).rejects.toMatchObject({ code: 'run/cancelled' });
    expect((await second).report.heldOutRows).toBe(5);
    expect(session.heldOut({ limit: 100 })).toHaveLength(5);
  });

  it('forgets the sequences of another tokenizer or dataset', async () => {
    await opened();
    await session.prepare({ settings: settings() });
    await session.openDataset(named('rows.json'));
    expect(() => session.takeRows()).toThrow(/made ready/);
  });
});

describe('held-out rows', () => {
  it('come from the split, asked with the tokens that training saw before the answer', async () => {
    await opened();
    await session.prepare({ settings: settings({ heldOut: 2 }) });
    const held = session.heldOut({ limit: 60 });
    expect(held).toHaveLength(2);
    for (const { row, prompt, promptText, expected } of held) {
      const [source] = await session.rows({ start: row, end: row + 1 });
      const { tokens } = await session.preview({ row, settings: settings() });
      const before = tokens.filter(({ hasLoss }) => !hasLoss);
      expect([...prompt]).toEqual(before.map(({ id }) => id));
      expect(promptText).toBe(`<s>${String(source?.input)}\n`);
      expect(expected).toBe(source?.output);
    }
  });

  it('come from a file of their own where there is one, and every other row is trained on', async () => {
    const heldOut = rowsFile('held.json', [
      { input: 'Three bowls to Rome', output: 'bowl x3, Rome' },
      { input: 'x', output: null },
    ]);
    const summary = await session.openDataset({ ...named('rows.json'), heldOut });
    expect(summary.heldOut).toEqual({ name: 'held.json', rowCount: 2 });
    await session.openTokenizer({ name: 'tiny-llama', files: MODEL });
    const { report } = await session.prepare({ settings: settings({ heldOut: 0.5 }) });
    expect(report).toMatchObject({ trainRows: report.rowCount, heldOutRows: 2 });
    expect(session.heldOut({ limit: 60 }).map(({ expected }) => expected)).toEqual(['bowl x3, Rome']);
  });

  it('ask for the last turn of a conversation, and for the completion of a prompt', async () => {
    const turns = [
      { role: 'user', content: 'Two lamps' },
      { role: 'assistant', content: 'lamp x2' },
      { role: 'user', content: 'Three' },
      { role: 'assistant', content: 'lamp x3' },
    ];
    await opened(rowsFile('chats.json', [{ messages: turns }, { messages: [{ role: 'user', content: 'One more' }, ...turns.slice(1)] }]));
    await session.prepare({ settings: settings({ heldOut: 1, mapping: { kind: 'messages', column: 'messages' } }) });
    const [chat] = session.heldOut({ limit: 1 });
    expect(chat?.expected).toBe('lamp x3');
    expect(chat?.promptText).toContain('lamp x2');
    expect(chat?.promptText).not.toContain('lamp x3');

    await session.openDataset(
      rowsFile('rows.json', [
        { prompt: 'a:', completion: ' b' },
        { prompt: 'c:', completion: ' d' },
      ]),
    );
    await session.prepare({
      settings: settings({ heldOut: 1, mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' } }),
    });
    expect(session.heldOut({ limit: 1 })).toMatchObject([
      { promptText: expect.stringMatching(/[ac]:$/) as string, expected: expect.stringMatching(/^[bd]$/) as string },
    ]);
  });

  it('have no question where loss is on the whole text', async () => {
    await opened();
    await session.prepare({ settings: settings({ heldOut: 2, loss: 'all' }) });
    expect(session.heldOut({ limit: 60 })).toEqual([]);
  });
});

describe('validation', () => {
  const order = (i: number, more = {}): Record<string, unknown> => ({ input: `message ${i} of many`, output: `answer ${i}`, ...more });
  const many = Array.from({ length: 60 }, (_, i) => order(i, { kind: i % 3 === 0 ? 'return' : 'order' }));

  it('has the held-out rows, tokenised as those that are trained on, and none of these', async () => {
    await opened(rowsFile('rows.json', many));
    const { report, rowLengths, validationLengths } = await session.prepare({ settings: settings({ heldOut: 24 }) });
    expect(report).toMatchObject({ trainRows: 36, heldOutRows: 24, validationRows: 24, validationSequences: 24, isTooFewToJudge: false });
    const { train, validation } = session.takeRows();
    expect([lengthsOf(train.offsets), validation?.rowCount]).toEqual([[...rowLengths], 24]);
    const { tokens, lossMask, offsets } = validation ?? train;
    expect(lengthsOf(offsets)).toEqual([...validationLengths]);
    expect([tokens.length, lossMask.reduce((sum, bit) => sum + bit, 0)]).toEqual([report.validationTokens, report.validationLossTokens]);
    const held = session.heldOut({ limit: 60 });
    expect(held).toHaveLength(24);
    for (const [i, { row }] of held.entries()) {
      const preview = await session.preview({ row, settings: settings() });
      const own = [...tokens.subarray(offsets[i], offsets[i + 1])];
      expect(own).toEqual(preview.tokens.map(({ id }) => id));
      expect([...lossMask.subarray(offsets[i], offsets[i + 1])]).toEqual(preview.tokens.map(({ hasLoss }) => Number(hasLoss)));
      for (let at = 0; at + 1 < train.offsets.length; at++)
        expect([...train.tokens.subarray(train.offsets[at], train.offsets[at + 1])]).not.toEqual(own);
    }
  });

  it('is too little to judge by under twenty rows, and none where nothing is held out', async () => {
    await opened(rowsFile('rows.json', many));
    expect((await session.prepare({ settings: settings({ heldOut: 19 }) })).report.isTooFewToJudge).toBe(true);
    expect((await session.prepare({ settings: settings({ heldOut: 20 }) })).report.isTooFewToJudge).toBe(false);
    const { report, validationLengths } = await session.prepare({ settings: settings({ heldOut: 0 }) });
    expect(report).toMatchObject({ validationRows: 0, validationSequences: 0, validationTokens: 0, isTooFewToJudge: true });
    expect([validationLengths.length, session.takeRows().validation]).toEqual([0, null]);
  });

  it('joins held-out rows among themselves', async () => {
    await opened(rowsFile('rows.json', many));
    await session.prepare({ settings: settings({ heldOut: 30 }) });
    const held = session.heldOut({ limit: 60 }).map(({ row }) => row);
    const joined = settings({ heldOut: 30, strategy: 'join', loss: 'all', maxLength: 16, joiner: '' });
    const { report } = await session.prepare({ settings: joined });
    const { train, validation } = session.takeRows();
    expect(new Set([...lengthsOf(train.offsets), ...lengthsOf(validation?.offsets ?? new Uint32Array(1))])).toEqual(new Set([16]));
    expect([report.validationRows, validation?.rowCount]).toEqual([30, 30]);
    const previews = await Promise.all(held.map((row) => session.preview({ row, settings: { ...joined, maxLength: 500 } })));
    const text = previews.flatMap(({ tokens }) => tokens.map(({ id }) => id));
    expect(report.validationTokens).toBeGreaterThan(text.length - 17);
    expect([...(validation?.tokens ?? [])]).toEqual(text.slice(0, report.validationTokens));
    // Rows that fill no block are no error where they are only measured.
    const { report: few } = await session.prepare({ settings: settings({ heldOut: 1, strategy: 'join', loss: 'all', maxLength: 200 }) });
    expect(few).toMatchObject({ heldOutRows: 1, validationSequences: 0 });
    expect(session.takeRows().validation).toBeNull();
  });

  it('leaves out and counts the rows of a held-out file that have no loss, and reports those that were trained on', async () => {
    const heldOut = rowsFile('held.json', [
      order(1000),
      order(1001, { output: null }),
      order(7),
      order(1002, { input: 'word '.repeat(80) }),
      order(8, { input: 'Message 8 of  many.' }),
    ]);
    await opened({ ...rowsFile('rows.json', many), heldOut });
    const { report } = await session.prepare({ settings: settings({ maxLength: 40, stratifyBy: 'kind' }) });
    expect(report).toMatchObject({ trainRows: 60, heldOutRows: 5, validationRows: 3, validationSequences: 3, skipped: [], strata: null });
    expect(report.validationSkipped).toEqual([
      { why: 'missing', count: 1, rows: [1] },
      { why: 'no-loss', count: 1, rows: [3] },
    ]);
    expect(report.leakedRows).toEqual({ count: 2, rows: [2, 4] });
    const unchecked = await session.prepare({ settings: settings({ maxLength: 40, keepDuplicatesTogether: false }) });
    expect(unchecked.report).toMatchObject({ validationRows: 3, leakedRows: { count: 0 } });
  });

  it('is drawn evenly by a column, with near-duplicates on one side', async () => {
    const twice = [...many, ...many.slice(0, 30).map((row) => ({ ...row, input: `${String(row.input).toUpperCase()}!` }))];
    await opened(rowsFile('rows.json', twice));
    const changes = { heldOut: 30, stratifyBy: 'kind', seed: 3 };
    const { report } = await session.prepare({ settings: settings(changes) });
    expect(report).toMatchObject({ trainRows: 60, heldOutRows: 30, duplicateGroups: 30, nearDuplicateRows: { count: 30 } });
    expect(report.strata).toEqual([
      { value: 'order', rows: 60, heldOutRows: 20 },
      { value: 'return', rows: 30, heldOutRows: 10 },
    ]);
    const rowsHeld = new Set(session.heldOut({ limit: 60 }).map(({ row }) => row));
    for (let i = 0; i < 30; i++) expect(rowsHeld.has(i)).toBe(rowsHeld.has(60 + i));
    // Another mapping compares other columns.
    const answers = { kind: 'text' as const, column: 'kind' };
    const other = await session.prepare({ settings: settings({ heldOut: 30, mapping: answers, loss: 'all' }) });
    expect(other.report).toMatchObject({ duplicateGroups: 2, nearDuplicateRows: { count: 88 } });
    await expect(session.prepare({ settings: settings({ stratifyBy: 'class' }) })).rejects.toMatchObject({ code: 'data/missing-column' });
  });
});

describe('prompts for chat', () => {
  it('fill the columns before the answer', async () => {
    await opened();
    const mapping = { kind: 'template' as const, template: 'Order: {input}\nPrice: {price}\n{output}!' };
    const given = settings({ mapping });
    expect(session.promptFields({ settings: given })).toEqual(['input', 'price']);
    expect(session.renderPrompt({ settings: given, fields: { input: 'Two lamps', price: '3' } }).prompt).toBe(
      '<s>Order: Two lamps\nPrice: 3\n',
    );
  });

  it('equal the prompt of a held-out row of the same words', async () => {
    await opened();
    await session.prepare({ settings: settings({ heldOut: 1 }) });
    const [held] = session.heldOut({ limit: 1 });
    const [row] = await session.rows({ start: held?.row ?? 0, end: (held?.row ?? 0) + 1 });
    const { prompt } = session.renderPrompt({ settings: settings(), fields: { input: String(row?.input) } });
    expect(prompt).toBe(held?.promptText);
  });

  it('use the chat template where there is no dataset', async () => {
    await session.openTokenizer({ name: 'tiny-llama', files: MODEL });
    expect(session.promptFields({ settings: null })).toEqual(['message']);
    const { prompt } = session.renderPrompt({ settings: null, fields: { message: 'Hello' } });
    expect(prompt).toContain('Hello');
    expect(prompt).not.toBe('Hello');
    await session.openTokenizer({ name: 'plain', files: MODEL.filter(({ path }) => !path.endsWith('.jinja')) });
    expect(session.renderPrompt({ settings: null, fields: { message: 'Hello' } }).prompt).toBe('<s>Hello');
  });
});
