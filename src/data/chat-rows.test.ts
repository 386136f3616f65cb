import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import { chatRow, turnText } from '#data/chat-rows.ts';
import { hasReasoning, readConversation, readMessages, withoutReasoning } from '#data/conversation.ts';
import type { RowContext, RowResult } from '#data/drafts.ts';
import type { DataMapping, DataOptions } from '#data/mapping.ts';
import { columnsOf, type Row } from '#data/rows.ts';
import { rowSequences, tokenizeRows } from '#data/tokenize.ts';
import { chatTokenizer, QWEN } from './fixtures/chat-tokenizers.ts';
import fixture from './fixtures/chat-rows.json' with { type: 'json' };

type Template = keyof typeof QWEN;

const CHAT: DataOptions = {
  mapping: { kind: 'messages', column: 'messages' },
  strategy: 'line-by-line',
  loss: 'answer',
  maxLength: 4000,
  maxSamples: null,
  addSpecialTokens: false,
  joiner: '',
};

function contextOf(rows: readonly Row[], template: Template | null, mapping: DataMapping = CHAT.mapping): RowContext {
  const tokenizer = template === null ? chatTokenizer(undefined) : QWEN[template];
  const set = { file: 'rows.json', columns: columnsOf(rows), rows };
  return { set, options: { ...CHAT, mapping }, tokenizer, renderChat: chatRenderer(tokenizer) };
}

/** The text of a sequence and its runs with loss. */
function read(result: RowResult, tokenizer: Tokenizer): { text: string; learnt: string[] } {
  if (result.kind !== 'sequence') throw new Error(`no sequence: ${JSON.stringify(result)}`);
  const { tokens, lossMask } = result.sequence;
  const runs: number[][] = [];
  tokens.forEach((token, i) => {
    if (lossMask[i] === 0) return;
    if (lossMask[i - 1] === 0 || i === 0) runs.push([]);
    runs.at(-1)?.push(token);
  });
  expect(result.merged).toBe(false);
  return { text: tokenizer.decode(tokens), learnt: runs.map((run) => tokenizer.decode(run)) };
}

describe('conversations as transformers renders them', () => {
  it.each(fixture.cases)('$name', ({ template, messages, tools, sequences }) => {
    const mapping: DataMapping = { kind: 'messages', column: 'messages', tools: 'tools' };
    const context = contextOf([{ messages, tools: tools === null ? null : JSON.stringify(tools) }], template as Template, mapping);
    const results = rowSequences(context)(0);
    expect(results.map((result) => read(result, context.tokenizer))).toEqual(sequences);
  });

  it('counts those that became a sequence a turn, and cuts each by itself', async () => {
    const turns = fixture.cases.find(({ name }) => name === 'qwen3, turns')?.messages ?? [];
    const context = contextOf([{ messages: turns }, { messages: turns.slice(0, 2) }], 'qwen3');
    const { rows, sequences, lengths, report } = await tokenizeRows(context);
    expect([rows, report.split, report.rowsRead]).toEqual([[0, 0, 1], { count: 1, rows: [0] }, 2]);
    expect(sequences.map(({ tokens }) => tokens.length)).toEqual(lengths);
    const shorter = await tokenizeRows({ ...context, options: { ...context.options, maxLength: lengths[0] + 2 } });
    expect([shorter.rows, shorter.report.split.count, shorter.report.noLoss.count]).toEqual([[0, 1], 1, 0]);
    const limited = await tokenizeRows({ ...context, options: { ...context.options, maxSamples: 1 } });
    expect(limited.rows).toEqual([0]);
  });
});

const said = (content: string, more: object = {}): object => ({ role: 'assistant', content, ...more });
const ask = (content: string): object => ({ role: 'user', content });

describe('weights', () => {
  it('take the loss of a turn away, in one sequence and in one a turn', () => {
    const messages = [ask('a'), said('b', { weight: 0 }), ask('c'), said('d', { weight: 1 })];
    const [whole, ...others] = rowSequences(contextOf([{ messages }], 'qwen2_5'))(0);
    expect(others).toEqual([]);
    expect(read(whole, QWEN.qwen2_5).learnt).toEqual(['d<|im_end|>\n']);
    const turns = rowSequences(contextOf([{ messages: [...messages, ask('e'), said('f')] }], 'qwen3'))(0);
    expect(turns.flatMap((turn) => read(turn, QWEN.qwen3).learnt)).toEqual(['d<|im_end|>\n', 'f<|im_end|>\n']);
  });

  it('leave nothing to learn where all are 0', () => {
    const messages = [ask('a'), said('b', { weight: 0 })];
    for (const template of ['qwen2_5', 'qwen3'] as const) {
      expect(rowSequences(contextOf([{ messages }], template))(0)).toMatchObject([{ kind: 'skipped', why: 'no-loss' }]);
    }
  });
});

describe('thinking', () => {
  const thought = [ask('2 + 3?'), said('5', { reasoning_content: 'Two, three.' })];
  const plain = [ask('2 + 3?'), said('5')];
  const learnt = (messages: object[], thinking: 'auto' | 'on' | 'off') => {
    const context = contextOf([{ messages }], 'qwen3', { kind: 'messages', column: 'messages', thinking });
    return read(rowSequences(context)(0)[0], context.tokenizer);
  };

  it('follows the rows by itself: reasoning carries loss, an empty block is part of the prompt', () => {
    expect(learnt(thought, 'auto').learnt).toEqual(['<think>\nTwo, three.\n</think>\n\n5<|im_end|>\n']);
    expect(learnt(plain, 'auto')).toEqual({
      text: '<|im_start|>user\n2 + 3?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n5<|im_end|>\n',
      learnt: ['5<|im_end|>\n'],
    });
  });

  it('is left out of every row, or asked for in every row', () => {
    expect(learnt(thought, 'off')).toEqual(learnt(plain, 'auto'));
    expect(learnt(thought, 'on')).toEqual(learnt(thought, 'auto'));
    expect(learnt(plain, 'on').learnt).toEqual(['<think>\n\n</think>\n\n5<|im_end|>\n']);
  });

  it('puts the empty block into the prompt where the template renders none in the answer', () => {
    const template = `{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% if not enable_thinking %}<think></think>{% endif %}{% endif %}`;
    const tokenizer = chatTokenizer(template);
    const { messages } = readConversation({ file: 'a' }, 0, 'm', plain);
    const row = chatRow({ messages, isLearnt: [true, true], tools: null });
    expect(turnText({ renderChat: chatRenderer(tokenizer) }, row, 1)).toMatchObject({
      prompt: '[user]2 + 3?[assistant]<think></think>',
      answer: '5',
    });
  });

  it('puts the block back where the template opens every answer with one and renders none', () => {
    const template = `{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}`;
    const context = { renderChat: chatRenderer(chatTokenizer(template)) };
    const of = (messages: object[]) => {
      const { prompt, answer } = turnText(context, chatRow({ ...readConversation({ file: 'a' }, 0, 'm', messages) }), 1);
      return [prompt, answer];
    };
    expect(of(plain)).toEqual(['[user]2 + 3?[assistant]<think>\n\n</think>\n\n', '5']);
    expect(of(thought)).toEqual(['[user]2 + 3?[assistant]<think>\n', 'Two, three.\n</think>\n\n5']);
  });

  it('closes an open block without loss where the template renders an empty one', () => {
    const template = `{% for m in messages %}[{{ m.role }}]{% if m.role == 'assistant' %}<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}`;
    const tokenizer = chatTokenizer(template);
    const context = { ...contextOf([{ messages: plain }, { messages: thought }], null), tokenizer, renderChat: chatRenderer(tokenizer) };
    const results = [0, 1].map((row) => read(rowSequences(context)(row)[0], tokenizer).learnt);
    expect(results).toEqual([['5'], ['Two, three.\n</think>\n\n5']]);
  });

  it('is counted where the template leaves it out', async () => {
    const { report } = await tokenizeRows(contextOf([{ messages: plain }, { messages: thought }], 'qwen2_5'));
    expect(report.droppedReasoning).toEqual({ count: 1, rows: [1] });
    expect((await tokenizeRows(contextOf([{ messages: thought }], 'qwen3'))).report.droppedReasoning.count).toBe(0);
  });

  it('is found in fields and in the content, and taken out of both', () => {
    const read = readMessages({ file: 'a' }, 0, 'm', [
      said('<think>\nhm\n</think>\n\n5'),
      said('5', { thinking: 'hm' }),
      said('<think>\n\n</think>\n\n5'),
    ]);
    expect(read.map(hasReasoning)).toEqual([true, true, false]);
    expect(read.map(withoutReasoning)).toEqual([said('5'), said('5'), said('5')]);
  });
});

describe('messages in other spellings', () => {
  const place = { file: 'rows.json' };

  it("reads ShareGPT's calls and results, and OpenAI's parts and function calls", () => {
    const call = { name: 'weather', arguments: { town: 'Rome' } };
    expect(
      readMessages(place, 0, 'c', [
        { from: 'human', value: 'Rome?' },
        { from: 'function_call', value: JSON.stringify({ ...call, arguments: JSON.stringify(call.arguments) }) },
        { from: 'observation', value: 'sun' },
        { from: 'gpt', value: 'Sun.' },
      ]),
    ).toEqual([
      ask('Rome?'),
      said('', { tool_calls: [{ type: 'function', function: call }] }),
      { role: 'tool', content: 'sun' },
      said('Sun.'),
    ]);
    expect(
      readMessages(place, 0, 'c', [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: null, function_call: { name: 'weather', arguments: '{"town":"Rome"}' }, weight: 1 },
        { role: 'function', name: 'weather', content: 'sun' },
      ]),
    ).toEqual([
      ask('ab'),
      said('', { tool_calls: [{ type: 'function', function: call }] }),
      { role: 'tool', name: 'weather', content: 'sun' },
    ]);
  });

  it.each<[string, object[], unknown, string]>([
    ['no content', [{ role: 'assistant', content: null }], null, "column 'c[0].content': null was found, text was expected"],
    ['a picture', [{ role: 'user', content: [{ type: 'image_url' }] }], null, "column 'c[0].content': a list was found"],
    ['no role', [{ content: 'x' }], null, "column 'c[0].role': nothing was found, text was expected"],
    ['tools that are none', [ask('a')], '{"a":', "column 'tools': text was found, a list of tools, or its JSON was expected"],
  ])('names %s', (_, messages, tools, message) => {
    expect(() => readConversation(place, 0, 'c', messages, tools)).toThrow(message);
  });
});

describe('columns as turns', () => {
  const mapping: DataMapping = { kind: 'turns', user: ['instruction', 'input'], assistant: 'output' };
  const rows = [
    { instruction: 'Translate', input: 'Hallo', output: 'Hello' },
    { instruction: 'Say hello', input: '', output: 'Hello' },
    { instruction: 'Say nothing', input: null, output: null },
    { instruction: '', input: '', output: 'x' },
  ];

  it('go through the chat template, empty ones left out', () => {
    const context = contextOf(rows, 'qwen2_5', mapping);
    const results = [0, 1].map((row) => read(rowSequences(context)(row)[0], context.tokenizer));
    expect(results.map(({ learnt }) => learnt)).toEqual([['Hello<|im_end|>\n'], ['Hello<|im_end|>\n']]);
    expect(results[0].text).toContain('<|im_start|>user\nTranslate\nHallo<|im_end|>\n');
    expect(results[1].text).toContain('<|im_start|>user\nSay hello<|im_end|>\n');
    expect(rowSequences(context)(2)).toEqual([{ kind: 'skipped', why: 'missing', length: 0, column: 'output' }]);
    expect(rowSequences(context)(3)).toEqual([{ kind: 'skipped', why: 'missing', length: 0, column: 'instruction' }]);
  });

  it('are lines of text where there is no template, or plain ones are wanted', () => {
    for (const [template, plain] of [
      [null, false],
      ['qwen2_5', true],
    ] as const) {
      const context = contextOf(rows, template, { ...mapping, plain });
      const { text, learnt } = read(rowSequences(context)(0)[0], context.tokenizer);
      expect([text, learnt]).toEqual(['<s>Translate\nHallo\nHello<|im_end|>', ['Hello<|im_end|>']]);
      expect(read(rowSequences(context)(1)[0], context.tokenizer).text).toBe('<s>Say hello\nHello<|im_end|>');
    }
  });

  it('put a system column first', () => {
    const context = contextOf([{ ...rows[0], rules: 'Be brief.' }], 'qwen2_5', { ...mapping, system: 'rules' });
    expect(read(rowSequences(context)(0)[0], context.tokenizer).text).toMatch(/^<\|im_start\|>system\nBe brief\.<\|im_end\|>/);
  });
});
