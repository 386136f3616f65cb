import { describe, expect, it } from 'vitest';
import { guessMapping } from '#run/guess-mapping.ts';

const rowOf = (columns: readonly string[]) => Object.fromEntries(columns.map((column) => [column, 'text']));
const guess = (columns: readonly string[], row: Record<string, unknown> = rowOf(columns)) => guessMapping({ columns, firstRows: [row] });
const answerOf = (template: string) => ({ mapping: { kind: 'template', template }, loss: 'answer', needsConfirmation: null });

describe('prompt and answer', () => {
  it.each([
    [['id', 'input', 'output'], '{input}\n{output}', { kind: 'prompt-answer', prompt: 'input', answer: 'output' }],
    [['instruction', 'output'], '{instruction}\n{output}', { kind: 'prompt-answer', prompt: 'instruction', answer: 'output' }],
    [['prompt', 'completion'], '{prompt}\n{completion}', { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' }],
    [['prompt', 'response', 'score'], '{prompt}\n{response}', { kind: 'prompt-answer', prompt: 'prompt', answer: 'response' }],
    [['Question', 'Answer', 'url'], '{Question}\n{Answer}', { kind: 'prompt-answer', prompt: 'Question', answer: 'Answer' }],
    [['text', 'label'], '{text}\n{label}', { kind: 'prompt-answer', prompt: 'text', answer: 'label' }],
  ])('of %s', (columns, template, recognised) => {
    expect(guess(columns)).toMatchObject({ ...answerOf(template), recognised });
  });

  it('offers the same columns as turns', () => {
    expect(guess(['question', 'answer'])?.asChat).toEqual({
      mapping: { kind: 'turns', user: ['question'], assistant: 'answer' },
      loss: 'answer',
    });
  });

  it("takes Alpaca's columns as turns: an empty input leaves no line behind", () => {
    expect(guess(['instruction', 'input', 'output', 'text'])).toEqual({
      mapping: { kind: 'turns', user: ['instruction', 'input'], assistant: 'output' },
      loss: 'answer',
      recognised: { kind: 'alpaca', instruction: 'instruction', input: 'input', output: 'output' },
      needsConfirmation: null,
      asChat: null,
    });
  });

  it('asks where there is a context beside question and answer', () => {
    expect(guess(['context', 'question', 'answer'])).toMatchObject({
      ...answerOf('{context}\n{question}\n{answer}'),
      recognised: { kind: 'context-question-answer', context: 'context', question: 'question', answer: 'answer' },
      needsConfirmation: 'context-question-answer',
    });
    const squad = { context: 'c', question: 'q', answers: { text: ['a'], answer_start: [0] } };
    expect(guess(Object.keys(squad), squad)).toMatchObject({
      ...answerOf('{context}\n{question}\n{answers[text][0]}'),
      needsConfirmation: 'context-question-answer',
      asChat: null,
    });
  });

  it('takes two columns of text in their order, whatever their names', () => {
    expect(guess(['message', 'ticket'], { message: 'Two lamps', ticket: '{"qty": 2}' })).toMatchObject({
      ...answerOf('{message}\n{ticket}'),
      recognised: { kind: 'two-columns', prompt: 'message', answer: 'ticket' },
    });
  });
});

describe('conversations', () => {
  const messages = [{ role: 'user', content: 'Hi' }];

  it("finds OpenAI's by their values, with weights and tools", () => {
    expect(guess(['id', 'messages'], { id: 1, messages })).toMatchObject({
      mapping: { kind: 'messages', column: 'messages' },
      loss: 'answer',
      recognised: { kind: 'openai-chat', column: 'messages', tools: null, hasWeights: false, hasTools: false },
    });
    const weighed = [...messages, { role: 'assistant', content: null, weight: 0, tool_calls: [{}] }];
    for (const tools of [[{ type: 'function' }], '[{"type": "function"}]']) {
      expect(guess(['messages', 'tools'], { messages: weighed, tools })).toMatchObject({
        mapping: { kind: 'messages', column: 'messages', tools: 'tools' },
        recognised: { kind: 'openai-chat', column: 'messages', tools: 'tools', hasWeights: true, hasTools: true },
      });
    }
    expect(guess(['messages', 'tools'], { messages, tools: null })?.mapping).toEqual({ kind: 'messages', column: 'messages' });
  });

  it("finds ShareGPT's under any name", () => {
    expect(guess(['text', 'turns'], { text: 'x', turns: [{ from: 'human', value: 'Hi' }] })).toMatchObject({
      mapping: { kind: 'messages', column: 'turns' },
      loss: 'answer',
      recognised: { kind: 'sharegpt', column: 'turns', tools: null },
    });
  });

  it('finds prompts and completions that are conversations', () => {
    expect(guess(['prompt', 'completion'], { prompt: messages, completion: messages })).toMatchObject({
      mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' },
      loss: 'answer',
    });
  });
});

describe('one text', () => {
  it('carries loss on all of it', () => {
    const expected = (column: string, unit: string | null) => ({
      mapping: { kind: 'text', column },
      loss: 'all',
      recognised: { kind: 'text', column, unit },
      needsConfirmation: null,
      asChat: null,
    });
    expect(guess(['id', 'text'], { id: 1, text: 'Once' })).toEqual(expected('text', null));
    expect(guess(['story'], { story: 'Once' })).toEqual(expected('story', null));
    expect(guessMapping({ columns: ['text'], firstRows: [{ text: 'Once' }], textUnit: 'paragraph' })).toEqual(
      expected('text', 'paragraph'),
    );
  });
});

it('says nothing where it would only guess wildly', () => {
  expect(guess(['a', 'b', 'c'])).toBeNull();
  expect(guess(['a', 'b'], { a: 1, b: { c: 2 } })).toBeNull();
  expect(guess(['a{b', 'c'], { 'a{b': 'x', c: 'y' })).toBeNull();
  expect(guessMapping({ columns: [], firstRows: [] })).toBeNull();
});
