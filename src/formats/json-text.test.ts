import { describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { findJsonProblem, lineAndColumn, parseJsonObject } from '#formats/json-text.ts';
import { MUTATIONS, mutate } from '#formats/mutations.ts';

describe('findJsonProblem', () => {
  test.each<[string, number, string]>([
    ['', 0, 'the end of the text was found, a JSON value was expected'],
    ['{"a":1,}', 7, '"}" was found, a key in double quotes was expected'],
    ['[1,]', 3, '"]" was found, a JSON value was expected'],
    ['[1 2]', 3, '"2" was found, "," or "]" was expected'],
    ['{"a" 1}', 5, '":" was expected'],
    ['{"a":1]', 6, '"," or "}" was expected'],
    ["{'a':1}", 1, 'a key in double quotes was expected'],
    ['{} {}', 3, '"{" was found, the end of the text was expected'],
    ['01', 1, 'the end of the text was expected'],
    ['-', 0, 'a JSON value was expected'],
    ['1.', 0, 'a JSON value was expected'],
    ['1e+', 0, 'a JSON value was expected'],
    ['NaN', 0, 'a JSON value was expected'],
    ['😀', 0, '"😀" was found'],
    ['"a\nb"', 2, 'a line break or control character inside a string'],
    ['"\\x"', 1, 'an unknown escape \\x'],
    ['"\\u12g4"', 1, 'a broken \\u escape'],
    ['"abc', 4, 'the text ends inside a string'],
    ['"abc\\', 5, 'the text ends inside a string'],
    ['{"a":1,"\\u0061":2}', 7, 'the key "a" appears twice'],
    ['['.repeat(257), 256, 'nested deeper than 256'],
  ])('%s', (text, index, message) => {
    const problem = findJsonProblem(text);
    expect(problem?.message).toContain(message);
    expect(problem?.index).toBe(index);
  });

  test('agrees with JSON.parse on damaged texts', () => {
    const text = JSON.stringify({ a: [1, -2.5e-3, true, null, 'x\n\u0001"é😀'], b: { c: {}, d: [], e: [[{}]] }, f: '' }, null, 1);
    const bytes = new TextEncoder().encode(text);
    const random = new Random(3);
    const counts = { valid: 0, broken: 0 };
    for (let i = 0; i < MUTATIONS; i++) {
      const damaged = new TextDecoder().decode(mutate(bytes, random));
      const problem = findJsonProblem(damaged);
      if (problem?.message.includes('twice')) continue;
      let parses = true;
      try {
        JSON.parse(damaged);
      } catch {
        parses = false;
      }
      expect({ damaged, parses }).toEqual({ damaged, parses: problem === null });
      counts[parses ? 'valid' : 'broken']++;
    }
    expect(counts.valid).toBeGreaterThan(MUTATIONS / 100);
    expect(counts.broken).toBeGreaterThan(MUTATIONS / 4);
  });
});

test('a column counts characters', () => {
  expect(lineAndColumn('é😀\n漢😀x', 7)).toEqual({ line: 2, column: 3 });
  expect(lineAndColumn('', 0)).toEqual({ line: 1, column: 1 });
});

test('parseJsonObject names file, line and column', () => {
  expect(parseJsonObject('c.json', '{"a":[1]}', 'model/invalid')).toEqual({ a: [1] });
  expect(() => parseJsonObject('c.json', '{\n"a" 1}', 'model/invalid')).toThrow('c.json: not JSON at line 2, column 5: "1" was found');
  expect(() => parseJsonObject('c.json', 'null', 'model/invalid')).toThrow(AppError);
});
