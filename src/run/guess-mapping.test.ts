import { expect, it } from 'vitest';
import { guessMapping } from '#run/guess-mapping.ts';

const answerOf = (template: string) => ({ mapping: { kind: 'template', template }, loss: 'answer' });

it.each([
  [['id', 'input', 'output'], '{input}\n{output}'],
  [['instruction', 'input', 'output'], '{instruction}\n{input}\n{output}'],
  [['instruction', 'output'], '{instruction}\n{output}'],
  [['prompt', 'completion'], '{prompt}\n{completion}'],
  [['context', 'question', 'answer'], '{question}\n{answer}'],
  [['Question', 'Answer', 'url'], '{Question}\n{Answer}'],
])('guesses a template of %s', (columns, expected) => {
  const row = Object.fromEntries(columns.map((column) => [column, 'text']));
  expect(guessMapping(columns, [row])).toEqual(answerOf(expected));
});

it('takes two columns of text in their order, whatever their names', () => {
  expect(guessMapping(['message', 'ticket'], [{ message: 'Two lamps', ticket: '{"qty": 2}' }])).toEqual(answerOf('{message}\n{ticket}'));
});

it('finds conversations by their values, under any name and in ShareGPT spelling', () => {
  const messages = [{ role: 'user', content: 'Hi' }];
  expect(guessMapping(['id', 'messages'], [{ id: 1, messages }])).toEqual({
    mapping: { kind: 'messages', column: 'messages' },
    loss: 'answer',
  });
  expect(guessMapping(['text', 'turns'], [{ text: 'x', turns: [{ from: 'human', value: 'Hi' }] }])).toEqual({
    mapping: { kind: 'messages', column: 'turns' },
    loss: 'answer',
  });
  expect(guessMapping(['prompt', 'completion'], [{ prompt: messages, completion: messages }])).toEqual({
    mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' },
    loss: 'answer',
  });
});

it('takes a text column with loss on all of it', () => {
  expect(guessMapping(['id', 'text'], [{ id: 1, text: 'Once' }])).toEqual({ mapping: { kind: 'text', column: 'text' }, loss: 'all' });
  expect(guessMapping(['story'], [{ story: 'Once' }])).toEqual({ mapping: { kind: 'text', column: 'story' }, loss: 'all' });
});

it('says nothing where it would only guess wildly', () => {
  expect(guessMapping(['a', 'b', 'c'], [{ a: 'x', b: 'y', c: 'z' }])).toBeNull();
  expect(guessMapping(['a', 'b'], [{ a: 1, b: { c: 2 } }])).toBeNull();
  expect(guessMapping(['a{b', 'c'], [{ 'a{b': 'x', c: 'y' }])).toBeNull();
  expect(guessMapping([], [])).toBeNull();
});
