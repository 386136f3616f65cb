import { beforeEach, describe, expect, it } from 'vitest';
import { chatTokenizerFiles } from '#data/fixtures/chat-tokenizers.ts';
import fixture from '#data/fixtures/chat-rows.json' with { type: 'json' };
import type { DataReport, DataSettings, Finding, FindingKind } from '#protocol/data.ts';
import type { NamedFile } from '#protocol/trainer.ts';
import { DEFAULTS, dataOptions, holdOutOptions } from '#recipe/recipe.ts';
import { histogramOf } from '#run/data-report.ts';
import { DataSession } from '#run/data-session.ts';

const TEMPLATE = { kind: 'template', template: '{input}\n{output}' } as const;
const CHAT = { kind: 'messages', column: 'messages' } as const;

function settings(changes: Partial<DataSettings>): DataSettings {
  const recipe = { ...DEFAULTS, model: 'tiny', data_files: ['rows.json'], mapping: TEMPLATE };
  return { ...dataOptions(recipe), ...holdOutOptions(recipe), heldOut: 0, ...changes };
}

const fileOf = (name: string, rows: unknown): NamedFile => ({ path: name, file: new Blob([JSON.stringify(rows)]) });

let session: DataSession;
beforeEach(() => {
  session = new DataSession(() => {});
});

async function open(template: keyof typeof fixture.templates | null): Promise<void> {
  const { tokenizer, config } = chatTokenizerFiles(template === null ? undefined : fixture.templates[template]);
  const files = { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config };
  const named = Object.entries(files).map(([path, text]) => ({ path: `tiny/${path}`, file: new Blob([text]) }));
  await session.openTokenizer({ name: 'tiny', files: [...named, { path: 'tiny/config.json', file: new Blob(['{}']) }] });
}

async function reportOf(rows: unknown[], changes: Partial<DataSettings> = {}, heldOut?: unknown[]): Promise<DataReport> {
  await session.openDataset({ ...fileOf('rows.json', rows), ...(heldOut === undefined ? {} : { heldOut: fileOf('held.json', heldOut) }) });
  return (await session.prepare({ settings: settings(changes) })).report;
}

const of = (report: DataReport, kind: FindingKind): Finding[] => report.findings.filter((finding) => finding.kind === kind);

/** Rows with nothing wrong. */
const good = (count: number): { input: string; output: string }[] =>
  Array.from({ length: count }, (_, i) => ({ input: `question number ${i} of its own`, output: `answer ${i * 7}` }));

describe('findings', () => {
  it('are none for good rows, and few rows are one', async () => {
    await open(null);
    expect((await reportOf(good(50))).findings).toEqual([]);
    expect((await reportOf(good(49))).findings).toMatchObject([
      { kind: 'few-rows', severity: 'warning', detail: { rows: 49, expected: 50 } },
    ]);
    expect((await reportOf(good(9))).findings).toMatchObject([{ kind: 'few-rows', severity: 'problem' }]);
  });

  it('list what is wrong with rows, the worst first, held-out ones among them', async () => {
    await open(null);
    const rows: object[] = good(60);
    rows[3] = rows[2];
    rows[5] = { input: 'x', output: null };
    rows[7] = { input: 'cafÃ© order', output: 'y 7' };
    rows[8] = { input: 'w 8', output: ' ' };
    rows[9] = { input: 'word '.repeat(80), output: 'y' };
    rows[10] = { input: 'long answer', output: 'word '.repeat(80) };
    rows[11] = { input: 'double end', output: 'y<|im_end|><|im_end|>' };
    for (const heldOut of [0, 30]) {
      const report = await reportOf(rows, { maxLength: 48, heldOut });
      const findings = report.findings.map(({ kind, severity, count, rows: listed, of: whose }) => [
        kind,
        severity,
        count,
        listed[0],
        whose,
      ]);
      expect(findings).toEqual([
        ['no-loss', 'problem', 1, 9, 'dataset'],
        ['empty-completion', 'problem', 1, 8, 'dataset'],
        ['doubled-end', 'problem', 1, 11, 'dataset'],
        ['missing', 'warning', 1, 5, 'dataset'],
        ['truncated', 'warning', 1, 10, 'dataset'],
        ['exact-duplicate', 'warning', 1, 3, 'dataset'],
        ['empty-field', 'warning', 2, 5, 'dataset'],
        ['mojibake', 'warning', 1, 7, 'dataset'],
      ]);
      expect(of(report, 'truncated')[0]?.detail.longest).toBeGreaterThan(80);
      expect(of(report, 'empty-field')[0]?.detail).toEqual({ column: 'output' });
    }
  });

  it('tell near copies from exact ones, and leaks of a file of its own', async () => {
    await open(null);
    const text = 'please send two green teapots and three lamps to the harbour in Lisbon before noon on Friday';
    const rows = [...good(60), { input: text, output: 'a' }, { input: text, output: 'a' }, { input: text.toUpperCase(), output: 'a' }];
    const report = await reportOf(rows, {}, [
      { input: `${text}!`, output: 'a' },
      ...good(60).map((_, i) => ({ input: `other ${i}`, output: null })),
    ]);
    expect(of(report, 'exact-duplicate')).toMatchObject([{ count: 1, rows: [61] }]);
    expect(of(report, 'near-duplicate')).toMatchObject([{ count: 1, rows: [62], detail: { groups: 1 } }]);
    expect(of(report, 'leak')).toMatchObject([{ of: 'held-out', rows: [0] }]);
    expect(of(report, 'missing')).toMatchObject([{ of: 'held-out', count: 60 }]);
  });

  it('tell labels that are too rare or too frequent', async () => {
    await open(null);
    const rows = good(60).map(({ input }, i) => ({ input, output: i < 3 ? 'return' : 'order' }));
    const report = await reportOf(rows);
    expect(report.labels).toEqual([
      {
        column: 'output',
        values: [
          { value: 'order', count: 57 },
          { value: 'return', count: 3 },
        ],
      },
    ]);
    expect(of(report, 'label-imbalance').map(({ detail }) => detail)).toEqual([
      { column: 'output', value: 'order', share: 0.95 },
      { column: 'output', value: 'return', share: 0.05 },
    ]);
  });

  it('tell a beginning that a prompt has already', async () => {
    await open(null);
    const rows = good(50).map(({ input, output }, i) => ({ prompt: i === 7 ? `<s>${input}\n` : `${input}\n`, completion: output }));
    const report = await reportOf(rows, { mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' } });
    expect(report.findings).toEqual([{ kind: 'doubled-beginning', severity: 'problem', of: 'dataset', count: 1, rows: [7], detail: {} }]);
  });

  it('tell texts without an end as a note, as Olive has them, and of joined rows nothing', async () => {
    await open(null);
    const all = { mapping: { kind: 'text', column: 'input' }, loss: 'all' } as const;
    const report = await reportOf(good(50), all);
    expect(report.findings.map(({ kind, severity }) => [kind, severity])).toEqual([
      ['missing-beginning', 'info'],
      ['missing-end', 'info'],
    ]);
    expect((await reportOf(good(50), { ...all, strategy: 'join', maxLength: 16 })).findings).toEqual([]);
  });
});

describe('chat rows', () => {
  const chat = (i: number): object[] => [
    { role: 'user', content: `question number ${i} of its own` },
    { role: 'assistant', content: `answer ${i * 7}` },
  ];

  it('of no use are left out, counted and named; others are trained on', async () => {
    await open('qwen3');
    const rows = Array.from({ length: 50 }, (_, i) => ({ messages: chat(i) as unknown }));
    rows[3] = { messages: [{ role: 'user', content: null }, ...chat(3)] };
    rows[4] = { messages: 'none' };
    rows[5] = { messages: [{ role: 'user', content: 'nobody answers' }] };
    rows[6] = { messages: [{ role: 'boss', content: 'hm', mood: 1 }, ...chat(6)] };
    const report = await reportOf(rows, { mapping: CHAT, heldOut: 10 });
    const reason = expect.stringMatching(/^rows\.json, row [45], column 'messages.*was expected$/) as string;
    expect(of(report, 'invalid')).toMatchObject([{ severity: 'problem', count: 2, rows: [3, 4], detail: { reason } }]);
    expect(of(report, 'chat-data-type')).toMatchObject([{ rows: [4] }]);
    expect(of(report, 'chat-missing-content')).toMatchObject([{ rows: [3] }]);
    expect(of(report, 'chat-no-assistant')).toMatchObject([{ rows: [5] }]);
    expect(of(report, 'chat-unknown-role')).toMatchObject([{ rows: [6], detail: { names: 'boss' } }]);
    expect(of(report, 'chat-unknown-key')).toMatchObject([{ rows: [6], detail: { names: 'mood' } }]);
    expect(of(report, 'no-loss')).toMatchObject([{ rows: [5] }]);
    expect([...report.skipped, ...report.validationSkipped].reduce((sum, { count }) => sum + count, 0)).toBe(3);
    expect(report.sequences + report.validationSequences).toBe(47);
    expect(session.heldOut({ limit: 60 }).length).toBeGreaterThan(6);
  });

  it('that are all of no use are the first error', async () => {
    await open('qwen3');
    await expect(reportOf([{ messages: 'a' }, { messages: 3 }], { mapping: CHAT })).rejects.toMatchObject({
      code: 'data/invalid',
      message: "rows.json, row 1, column 'messages': text was found, a list of messages was expected",
    });
    await open(null);
    await expect(reportOf([{ messages: chat(1) }], { mapping: CHAT })).rejects.toMatchObject({ code: 'template/invalid' });
  });

  it('that are learnt turn by turn, and the prompt that a template hides, are told', async () => {
    await open('qwen3');
    const rows = Array.from({ length: 50 }, (_, i) => ({ messages: i < 2 ? [...chat(i), ...chat(i + 50)] : chat(i) }));
    const report = await reportOf(rows, { mapping: CHAT });
    // Qwen3 has no beginning token; the fixtures' tokenizer wants one, and says so.
    expect(report.findings.map(({ kind, count }) => [kind, count])).toEqual([
      ['missing-beginning', 50],
      ['split-turns', 2],
    ]);
    expect(report.sequences).toBe(52);
    await open('qwen2_5');
    const hidden = of(await reportOf(rows, { mapping: CHAT }), 'hidden-prompt');
    expect(hidden).toMatchObject([{ severity: 'info', count: 50, detail: { text: expect.stringContaining('You are Qwen') as string } }]);
  });

  it('are asked as they were trained on, with and without thinking', async () => {
    await open('qwen3');
    const thought = { role: 'assistant', content: '5', reasoning_content: 'Two, three.' };
    const rows = [{ messages: [chat(0)[0], thought] }, { messages: [chat(1)[0], thought] }, { messages: chat(2) }];
    for (const thinking of ['auto', 'on', 'off'] as const) {
      const given = settings({ mapping: { ...CHAT, thinking }, heldOut: 1 });
      for (const seed of [1, 2, 3, 4]) {
        await reportOf(rows, { ...given, seed });
        const [asked] = session.heldOut({ limit: 1 });
        const { tokens } = await session.preview({ row: asked.row, settings: given });
        const first = tokens.findIndex(({ hasLoss }) => hasLoss);
        expect(tokens.slice(0, first).map(({ id }) => id)).toEqual([...asked.prompt]);
        const hasThought = thinking !== 'off' && asked.row < 2;
        expect(asked.expected).toBe(hasThought ? '<think>\nTwo, three.\n</think>\n\n5' : asked.row < 2 ? '5' : 'answer 14');
        const isClosed = thinking === 'off' || (thinking === 'auto' && asked.row === 2);
        expect(asked.promptText.endsWith('<think>\n\n</think>\n\n')).toBe(isClosed);
      }
      // Without a row, as most of the rows are: two of three think.
      const { prompt } = session.renderPrompt({ settings: given, fields: { message: 'Hi' } });
      expect(prompt.endsWith('</think>\n\n')).toBe(thinking === 'off');
    }
  });
});

describe('lengths', () => {
  it('are drawn in bins of one power of two', () => {
    expect(histogramOf([])).toEqual({ binTokens: 8, counts: [] });
    expect(histogramOf([1, 7, 8, 20])).toEqual({ binTokens: 8, counts: [2, 1, 1] });
    expect(histogramOf([255]).counts).toHaveLength(32);
    expect(histogramOf([256, 3])).toEqual({ binTokens: 16, counts: [1, ...Array.from({ length: 15 }, () => 0), 1] });
    const { binTokens, counts } = histogramOf([5000]);
    expect([binTokens, counts.length <= 32, counts.at(-1)]).toEqual([256, true, 1]);
  });

  it('are those of the rows before they are cut, and the report says which is the longest', async () => {
    await open(null);
    const rows = good(99).map((row, i) => (i === 42 ? { ...row, output: 'word '.repeat(300) } : row));
    const report = await reportOf(rows, { maxLength: 40 });
    expect(report.longestRow).toMatchObject({ row: 42 });
    expect(report.longestRow?.tokens).toBeGreaterThan(300);
    expect(report.lengths.counts.reduce((sum, count) => sum + count, 0)).toBe(99);
    expect(report.lengths.counts.at(-1)).toBe(1);
    expect(report.p95Tokens).toBeLessThan(40);
    expect(report.maxTokens).toBe(40);
  });
});
