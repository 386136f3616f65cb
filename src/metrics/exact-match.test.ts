import { expect, it } from 'vitest';
import { exactMatch, exactMatchRate } from '#metrics/exact-match.ts';

it.each([
  ['{"qty": 2, "item": "bowl"}', '{"item":"bowl","qty":2}', true],
  ['{"a": {"y": [1, 2], "x": null}}\n', ' {"a":{"x":null,"y":[1,2]}}', true],
  ['{"a": [1, 2]}', '{"a": [2, 1]}', false],
  ['{"qty": 2}', '{"qty": "2"}', false],
  ['{"qty": 2}', '{"qty": 2, "item": "bowl"}', false],
  ['2.0', '2', true],
  ['"yes"', 'yes', false],
  ['  status \n', 'status', true],
  ['Status', 'status', false],
  ['{"a": 1', '{"a": 1}', false],
  ['{"a": 1', ' {"a": 1 ', true],
  ['', ' ', true],
  ['null', 'null', true],
  ['<think>\nTwo, three.\n</think>\n\n5', '5', true],
  ['hm {"a": 1}</think>{"b":2}', '<think></think>{"b": 2}', true],
  ['<think>5', '5', false],
  ['{"__proto__": 1}', '{"__proto__": 2}', false],
])('%j against %j is %s', (answer, expected, same) => {
  expect(exactMatch(answer, expected)).toBe(same);
  expect(exactMatch(expected, answer)).toBe(same);
});

it('counts the share', () => {
  const pairs = [
    { answer: 'a', expected: 'a' },
    { answer: 'b', expected: 'a' },
    { answer: '{"a":1}', expected: '{ "a": 1 }' },
    { answer: '', expected: 'a' },
  ];
  expect(exactMatchRate(pairs)).toBe(0.5);
  expect(exactMatchRate([])).toBeNaN();
});
