import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import { type Tokenizer, tokenizerFromFiles } from '#tokenizer/tokenizer.ts';
import type { ChatMessage } from '#data/conversation.ts';
import type { ChatRenderer, RowContext, RowResult } from '#data/drafts.ts';
import { LISTED_ROWS } from '#data/findings.ts';
import type { DataOptions } from '#data/mapping.ts';
import { columnsOf, type Row } from '#data/rows.ts';
import { rowTokenizer, tokenizeRows } from '#data/tokenize.ts';

const file = (name: string): string => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
const tokenizer = tokenizerFromFiles(file('tokenizer.json'), file('tokenizer_config.json'));
const withoutBos = tokenizerFromFiles(
  JSON.stringify({ ...JSON.parse(file('tokenizer.json')), post_processor: null }),
  file('tokenizer_config.json'),
);
const renderChat: ChatRenderer = (messages, { addGenerationPrompt }) =>
  messages.map(({ role, content }) => `<|turn|>${role}\n${content}</s>\n`).join('') + (addGenerationPrompt ? '<|turn|>assistant\n' : '');

const ANSWERS: DataOptions = {
  mapping: { kind: 'template', template: 'Q: {input}\nA:{output}' },
  strategy: 'line-by-line',
  loss: 'answer',
  maxLength: 100,
  maxSamples: null,
  addSpecialTokens: false,
  joiner: '\n\n',
};

function context(rows: readonly Row[], options: Partial<DataOptions> = {}, using: Tokenizer = tokenizer): RowContext {
  return { set: { file: 'rows.json', columns: columnsOf(rows), rows }, options: { ...ANSWERS, ...options }, tokenizer: using, renderChat };
}

/** The text that carries loss, and the text that does not. */
function texts(result: RowResult | undefined): { loss: string; rest: string } {
  if (result?.kind !== 'sequence') throw new Error(`no sequence: ${JSON.stringify(result)}`);
  const { tokens, lossMask } = result.sequence;
  return {
    loss: tokenizer.decode(tokens.filter((_, i) => lossMask[i] === 1)),
    rest: tokenizer.decode(tokens.filter((_, i) => lossMask[i] === 0)),
  };
}

async function errorOf(run: () => unknown): Promise<AppError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('template rows with loss on the answer', () => {
  it('puts loss on the answer and the end token, and nowhere else', () => {
    const row = rowTokenizer(context([{ input: 'where?', output: ' here' }]))(0);
    expect(texts(row)).toEqual({ rest: '<s>Q: where?\nA:', loss: ' here</s>' });
  });

  it('tokenises prompt and answer apart, so that the prompt is the one the model is asked with', () => {
    // "an order" + "s" would end in the one token " orders".
    const options: Partial<DataOptions> = { mapping: { kind: 'template', template: '{input}{output}' } };
    const row = rowTokenizer(context([{ input: 'an order', output: 's' }], options))(0);
    expect(row.kind === 'sequence' && Array.from(row.sequence.tokens)).toEqual([
      ...tokenizer.encode('an order'),
      ...tokenizer.encode('s</s>', { addSpecialTokens: false }),
    ]);
    expect(tokenizer.encode('an orders').length).toBeLessThan(tokenizer.encode('an order').length + 1);
  });

  it('writes the beginning token only where the tokenizer does, and neither end twice', () => {
    const mapping = { kind: 'template', template: '<s>{input}|{output}' } as const;
    const rows = [{ input: 'a', output: 'b</s>' }];
    expect(texts(rowTokenizer(context(rows, { mapping }))(0))).toEqual({ rest: '<s>a|', loss: 'b</s>' });
    expect(texts(rowTokenizer(context([{ input: 'a', output: 'b' }], {}, withoutBos))(0))).toEqual({ rest: 'Q: a\nA:', loss: 'b</s>' });
  });

  it('gives the first token no loss when nothing stands before it', () => {
    const mapping = { kind: 'template', template: '{output}' } as const;
    const row = rowTokenizer(context([{ output: 'teapot' }], { mapping }, withoutBos))(0);
    expect(row.kind === 'sequence' && row.sequence.lossMask[0]).toBe(0);
    expect(row.kind === 'sequence' && row.sequence.lossMask.slice(1).every((bit) => bit === 1)).toBe(true);
  });

  it('writes an answer that is no text as JSON', () => {
    expect(texts(rowTokenizer(context([{ input: 1, output: { qty: 2 } }]))(0))).toEqual({ rest: '<s>Q: 1\nA:', loss: '{"qty":2}</s>' });
  });
});

describe('conversations with loss on the answer', () => {
  const options: Partial<DataOptions> = { mapping: { kind: 'messages', column: 'messages' } };
  const messages: ChatMessage[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'where?' },
    { role: 'assistant', content: 'here' },
    { role: 'user', content: 'when?' },
    { role: 'assistant', content: 'now' },
  ];

  it('puts loss on every turn of the assistant', () => {
    const { loss, rest } = texts(rowTokenizer(context([{ messages }], options))(0));
    expect(loss).toBe('here</s>\nnow</s>\n');
    expect(rest).toBe(
      '<|turn|>system\nBe brief.</s>\n<|turn|>user\nwhere?</s>\n<|turn|>assistant\n<|turn|>user\nwhen?</s>\n<|turn|>assistant\n',
    );
  });

  it('agrees with prompt-completion rows where the only answer is the last message', () => {
    const [system, user, answer] = messages as [ChatMessage, ChatMessage, ChatMessage];
    const whole = rowTokenizer(context([{ messages: [system, user, answer] }], options))(0);
    const mapping = { kind: 'prompt-completion', prompt: 'p', completion: 'c' } as const;
    expect(rowTokenizer(context([{ p: [system, user], c: [answer] }], { mapping }))(0)).toEqual(whole);
  });

  it("reads ShareGPT's spelling", () => {
    const spelled = messages.map(({ role, content }) => ({ from: { user: 'human', assistant: 'gpt' }[role] ?? role, value: content }));
    expect(rowTokenizer(context([{ messages: spelled }], options))(0)).toEqual(rowTokenizer(context([{ messages }], options))(0));
  });

  it('hands the template the other fields of a message', () => {
    const seen: unknown[] = [];
    const watching: ChatRenderer = (given, rest) => {
      seen.push(...given);
      return renderChat(given, rest);
    };
    const named = [
      { role: 'user', content: 'x', name: 'Ann' },
      { role: 'assistant', content: 'y' },
    ];
    rowTokenizer({ ...context([{ messages: named }], options), renderChat: watching })(0);
    expect(seen).toContainEqual({ role: 'user', content: 'x', name: 'Ann' });
  });

  it('skips one without an answer, and names a message that is none', async () => {
    const row = rowTokenizer(context([{ messages: messages.slice(0, 2) }], options))(0);
    expect(row).toMatchObject({ kind: 'skipped', why: 'no-loss' });
    const broken = context([{ messages }, { messages: [...messages, { role: 'user', content: 3 }] }], options);
    const error = await errorOf(() => tokenizeRows(broken));
    expect(error.message).toBe("rows.json, row 2, column 'messages[5].content': the number 3 was found, text was expected");
  });
});

describe('tokenizeRows', () => {
  it('reports what became of every row', async () => {
    const rows = [
      { input: 'a', output: ' b' },
      { input: 'a', output: null },
      { input: 'a long message that fills the whole of what there is room for', output: ' b' },
      { input: 'a', output: ' a long answer that does not fit into what is left' },
      { output: ' b' },
    ];
    const { sequences, rows: from, report } = await tokenizeRows(context(rows, { maxLength: 16 }));
    expect(from).toEqual([0, 3]);
    expect(sequences[1]?.tokens.length).toBe(16);
    const long = rowTokenizer(context(rows))(3);
    const fits = rowTokenizer(context(rows))(0);
    expect(report).toEqual({
      rowsRead: 5,
      tokens: fits.length + 16,
      // " b" and the end token; and what is left of 16 after the prompt.
      lossTokens: 2 + (16 - tokenizer.encode('Q: a\nA:').length),
      longest: 16,
      truncated: { count: 1, rows: [3] },
      empty: { count: 0, rows: [] },
      missing: { count: 2, rows: [1, 4] },
      invalid: { count: 0, rows: [] },
      invalidReason: null,
      noLoss: { count: 1, rows: [2] },
      merged: { count: 0, rows: [] },
      split: { count: 0, rows: [] },
      droppedReasoning: { count: 0, rows: [] },
      droppedTokens: long.length - 16,
    });
  });

  it('names rows whose prompt and completion merge, and rows without text', async () => {
    const mapping = { kind: 'prompt-completion', prompt: 'input', completion: 'output' } as const;
    const merging = await tokenizeRows(context([{ input: 'an order', output: 's' }], { mapping }));
    expect(merging.report.merged).toEqual({ count: 1, rows: [0] });
    const text = { mapping: { kind: 'text', column: 'input' }, loss: 'all' } as const;
    const empty = await tokenizeRows(context([{ input: '' }, { input: 'an order' }], text));
    expect(empty.report.empty).toEqual({ count: 1, rows: [0] });
  });

  it('takes chosen rows in their order, and stops at maxSamples', async () => {
    const rows = Array.from({ length: 6 }, (_, i) => ({ input: String(i), output: ' b' }));
    expect((await tokenizeRows(context(rows), { rows: [4, 1, 5] })).rows).toEqual([4, 1, 5]);
    const limited = await tokenizeRows(context(rows, { maxSamples: 2 }));
    expect([limited.rows, limited.report.rowsRead]).toEqual([[0, 1], 2]);
  });

  it('knows which row a block begins with', async () => {
    const rows = ['Two green teapots', 'to Lisbon', 'by Friday, please.', 'x'].map((text) => ({ text }));
    const options = { mapping: { kind: 'text', column: 'text' }, loss: 'all', strategy: 'join', maxLength: 2 } as const;
    const { rows: from, sequences, report } = await tokenizeRows(context(rows, options));
    const joined = rows.flatMap(({ text }, row) =>
      [...tokenizer.encode(text, { addSpecialTokens: false }), ...tokenizer.encode('\n\n', { addSpecialTokens: false })].map((token) => [
        token,
        row,
      ]),
    );
    expect(sequences.flatMap(({ tokens }) => Array.from(tokens))).toEqual(joined.slice(0, sequences.length * 2).map(([token]) => token));
    expect(from).toEqual(sequences.map((_, block) => joined[block * 2]?.[1]));
    expect(report.droppedTokens).toBe(joined.length - sequences.length * 2);
    expect(report.droppedTokens).toBeGreaterThan(0);
    expect(report.droppedTokens).toBeLessThanOrEqual(2);
  });

  it('lists so many rows and counts the rest, and says how far it is', async () => {
    const rows = [...Array.from({ length: LISTED_ROWS + 50 }, () => ({ input: null, output: 'x' })), { input: 'a', output: 'b' }];
    const seen: number[] = [];
    const { report } = await tokenizeRows(context(rows), { onProgress: (done, total) => void seen.push(done, total) });
    expect([report.missing.count, report.missing.rows.length]).toEqual([LISTED_ROWS + 50, LISTED_ROWS]);
    expect(seen).toEqual([0, 151, 64, 151, 128, 151, 151, 151]);
  });

  it('stops where the caller says so', async () => {
    const rows = Array.from({ length: 200 }, () => ({ input: 'a', output: 'b' }));
    const onProgress = (done: number): Promise<void> =>
      done < 64 ? Promise.resolve() : Promise.reject(new AppError('run/cancelled', 'stopped'));
    expect((await errorOf(() => tokenizeRows(context(rows), { onProgress }))).code).toBe('run/cancelled');
  });
});

describe('bad input', () => {
  const text: Partial<DataOptions> = { mapping: { kind: 'text', column: 'text' }, loss: 'all' };
  const pair: Partial<DataOptions> = { mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' } };

  it.each<[string, Row[], Partial<DataOptions>, string, string]>([
    ['no rows', [], { ...text }, 'data/missing-column', "rows.json has no column 'text'; it has no columns"],
    ['a missing text column', [{ body: 'x' }], text, 'data/missing-column', "rows.json has no column 'text'; its columns are 'body'"],
    ['a missing template column', [{ input: 'x' }], {}, 'data/missing-column', "template, character 14: rows.json has no column 'output'"],
    ['a missing completion column', [{ prompt: 'x' }], pair, 'data/missing-column', "rows.json has no column 'completion'"],
    [
      'a number for a text',
      [{ text: 'a' }, { text: 3 }],
      text,
      'data/invalid',
      "row 2, column 'text': the number 3 was found, text was expected",
    ],
    ['null for a text', [{ text: null }], text, 'data/invalid', "row 1, column 'text': null was found, text was expected"],
    [
      'a list for a prompt',
      [{ prompt: ['a'], completion: 'b' }],
      pair,
      'data/invalid',
      "column 'prompt': a list was found, text or a list of messages",
    ],
    [
      'a conversation answered by text',
      [{ prompt: [{ role: 'user', content: 'x' }], completion: 'b' }],
      pair,
      'data/invalid',
      "column 'completion': text was found, a list of messages was expected",
    ],
    ['no loss anywhere', [{ input: 'x', output: null }], {}, 'data/no-loss', 'of 1 rows 1 lack a value that the template needs'],
    [
      'too little to fill a block',
      [{ text: 'a' }],
      { ...text, strategy: 'join' },
      'data/no-rows',
      '1 rows give 3 tokens when joined; more than 100 were expected',
    ],
    [
      'an answer of a text',
      [{ text: 'a' }],
      { ...text, loss: 'answer' },
      'recipe/invalid',
      'loss on the answer of a text column was found',
    ],
    [
      'a joined answer',
      [{ input: 'a', output: 'b' }],
      { strategy: 'join' },
      'recipe/invalid',
      "strategy 'join' with loss on the answer was found",
    ],
  ])('%s', async (_, rows, options, code, message) => {
    const error = await errorOf(() => tokenizeRows(context(rows, options)));
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  it('says that a file has no rows when its columns are known', async () => {
    const set = { file: 'rows.csv', columns: ['input', 'output'], rows: [] };
    expect((await errorOf(() => tokenizeRows({ ...context([]), set }))).message).toBe('rows.csv has no rows');
  });
});
