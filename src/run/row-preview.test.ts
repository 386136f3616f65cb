import { describe, expect, it } from 'vitest';
import { chatRenderer } from '#data/chat-renderer.ts';
import type { RowContext } from '#data/drafts.ts';
import { chatTokenizer, QWEN } from '#data/fixtures/chat-tokenizers.ts';
import fixture from '#data/fixtures/chat-rows.json' with { type: 'json' };
import { hiddenPrompt } from '#data/hidden-prompt.ts';
import type { DataMapping } from '#data/mapping.ts';
import { columnsOf, type Row } from '#data/rows.ts';
import type { Preview } from '#protocol/data.ts';
import { hiddenPromptOf, previewOf } from '#run/row-preview.ts';

const MESSAGES: DataMapping = { kind: 'messages', column: 'messages', tools: 'tools' };

function contextOf(row: Row, mapping: DataMapping, tokenizer = QWEN.qwen2_5): RowContext {
  const options = {
    mapping,
    strategy: 'line-by-line',
    loss: 'answer',
    maxLength: 4000,
    maxSamples: null,
    addSpecialTokens: false,
    joiner: '',
  } as const;
  return { set: { file: 'rows.json', columns: columnsOf([row]), rows: [row] }, options, tokenizer, renderChat: chatRenderer(tokenizer) };
}

/** The texts that come from no column, and those that do, in turn. */
function told({ tokens, added }: Preview): { added: string[]; given: string[] } {
  const text = (start: number, end: number): string => QWEN.qwen2_5.decode(Uint32Array.from(tokens.slice(start, end), ({ id }) => id));
  const ends = added.map(({ end }, i) => text(end, added[i + 1]?.start ?? tokens.length)).filter((each) => each !== '');
  return { added: added.map(({ start, end }) => text(start, end)), given: ends };
}

describe('what comes from no column', () => {
  it("is a template's own words, the system prompt that it puts in by itself among them", () => {
    const { messages } = fixture.cases[0];
    const preview = previewOf(contextOf({ messages, tools: null }, MESSAGES), 0, 0);
    expect(told(preview)).toEqual({
      added: [
        '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n',
        '<|im_end|>\n<|im_start|>assistant\n',
        '<|im_end|>\n<|im_start|>user\n',
        '<|im_end|>\n<|im_start|>assistant\n',
        '<|im_end|>\n',
      ],
      given: ['Two lamps', 'lamp x2', 'Three', 'lamp x3'],
    });
    expect(preview).toMatchObject({ parts: 1, part: 0 });
  });

  it('leaves out what tools and their calls say', () => {
    const [, { messages, tools }] = fixture.cases;
    const { added, given } = told(previewOf(contextOf({ messages, tools }, MESSAGES), 0, 0));
    expect(given.join('|')).toContain('The weather of a town');
    expect(given.join('|')).toContain('Lisboa, já');
    expect(added.join('|')).toContain('# Tools');
    expect(added.join('|')).not.toContain('Lisbo');
  });

  it('is told of each part of a conversation that is learnt turn by turn', () => {
    const found = fixture.cases.find(({ name }) => name === 'qwen3, reasoning, then none');
    const context = contextOf({ messages: found?.messages, tools: null }, MESSAGES, QWEN.qwen3);
    const [first, second] = [previewOf(context, 0, 0), previewOf(context, 0, 7)];
    expect([first.parts, first.part, second.parts, second.part]).toEqual([2, 0, 2, 1]);
    expect(told(first).given).toEqual(['2 + 3?', 'Two and three make five.', '5']);
    expect(told(second).given).toEqual(['2 + 3?', '5', 'Two lamps', 'lamp x2']);
    expect(
      second.tokens
        .filter(({ hasLoss }) => hasLoss)
        .map(({ text }) => text)
        .join(''),
    ).toBe('lamp x2<|im_end|>\n');
  });

  it('is what a template of columns has around them, and the tokens at both ends', () => {
    const mapping: DataMapping = { kind: 'template', template: 'Q: {q}\nA: {a}' };
    const row = { q: 'é 😀\nA: b', a: 'c' };
    expect(told(previewOf(contextOf(row, mapping), 0, 0))).toEqual({
      added: ['<s>Q: ', '\nA: ', '<|im_end|>'],
      given: ['é 😀\nA: b', 'c'],
    });
    const long = contextOf({ q: 'b', a: 'a long answer' }, mapping);
    const { fullLength } = previewOf(long, 0, 0);
    const cut = told(previewOf({ ...long, options: { ...long.options, maxLength: fullLength - 3 } }, 0, 0));
    // The blank and the b are one token.
    expect(cut.added).toEqual(['<s>Q:', '\nA: ']);
    expect(cut.given[1]).toBe('a long');
    const turns: DataMapping = { kind: 'turns', user: ['q'], assistant: 'a', plain: true };
    expect(told(previewOf(contextOf(row, turns), 0, 0))).toEqual({ added: ['<s>', '\n', '<|im_end|>'], given: [row.q, 'c'] });
  });
});

describe('the hidden prompt', () => {
  const { messages } = fixture.cases[0];

  it('is what a template says where no system message is', () => {
    const qwen = 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.';
    expect(hiddenPromptOf(contextOf({ messages }, { kind: 'messages', column: 'messages' }))).toBe(qwen);
    expect(hiddenPromptOf(contextOf({ messages }, { kind: 'messages', column: 'messages' }, QWEN.qwen3))).toBeNull();
    const withSystem = [{ role: 'system', content: 'Be brief.' }, ...messages];
    expect(hiddenPromptOf(contextOf({ messages: withSystem }, { kind: 'messages', column: 'messages' }))).toBeNull();
    expect(hiddenPromptOf(contextOf({ a: 'x', b: 'y' }, { kind: 'turns', user: ['a'], assistant: 'b' }))).toBe(qwen);
    expect(hiddenPromptOf(contextOf({ a: 'x', b: 'y' }, { kind: 'turns', user: ['a'], assistant: 'b', plain: true }))).toBeNull();
    expect(hiddenPromptOf(contextOf({ text: 'x' }, { kind: 'text', column: 'text' }))).toBeNull();
  });

  it('is none where the template only opens a turn, or refuses system messages', () => {
    const render = (template: string) => hiddenPrompt(chatRenderer(chatTokenizer(template)));
    expect(render('{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}')).toBeNull();
    expect(render("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}")).toBeNull();
  });
});
