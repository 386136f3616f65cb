import { describe, expect, it } from 'vitest';
import { checkChat, type ChatProblem } from '#data/chat-checks.ts';
import type { DataMapping } from '#data/mapping.ts';
import { checkRows } from '#data/row-checks.ts';
import { columnsOf, type Row } from '#data/rows.ts';
import { encodingProblem, labelsOf } from '#data/text-checks.ts';

const setOf = (rows: readonly Row[]) => ({ file: 'rows.json', columns: columnsOf(rows), rows });
const user = { role: 'user', content: 'Hi' };
const assistant = { role: 'assistant', content: 'Hello' };

describe("OpenAI's checks", () => {
  it.each<[string, unknown, ChatProblem[]]>([
    ['a whole conversation', [{ role: 'system', content: 'x' }, user, { ...assistant, weight: 0, name: 'a' }], []],
    [
      'a call and its result',
      [user, { role: 'assistant', content: null, tool_calls: [{}] }, { role: 'tool', tool_call_id: '1', content: 'x' }, assistant],
      [],
    ],
    ['a call without content', [user, { role: 'assistant', function_call: {} }], []],
    ['parts', [{ role: 'user', content: [{ type: 'text', text: 'x' }] }, assistant], []],
    [
      'ShareGPT',
      [
        { from: 'human', value: 'x' },
        { from: 'gpt', value: 'y' },
      ],
      [],
    ],
    ['reasoning', [user, { ...assistant, reasoning_content: 'hm' }], []],
    ['a column of a table', [{ ...user, extra: null }, assistant], []],
    ['no list', 'x', ['chat-data-type']],
    ['an empty list', [], ['chat-data-type']],
    ['a message that is text', ['x', user, assistant], ['chat-data-type']],
    ['no role', [{ content: 'x' }, user, assistant], ['chat-missing-key']],
    ['no content', [user, { role: 'assistant' }], ['chat-missing-key']],
    ['another key', [{ ...user, mood: 'good' }, assistant], ['chat-unknown-key']],
    ['another role', [{ role: 'boss', content: 'x' }, user, assistant], ['chat-unknown-role']],
    ['content of null', [user, { role: 'assistant', content: null }], ['chat-missing-content']],
    ['empty content', [user, { role: 'assistant', content: '' }], ['chat-missing-content']],
    ['nobody who answers', [user], ['chat-no-assistant']],
    ['nobody who asks', [assistant], ['chat-no-user']],
  ])('%s', (_, value, problems) => {
    expect([...checkChat(value).problems]).toEqual(problems);
  });

  it('names the keys and roles that it does not know', () => {
    const check = checkChat([{ role: 'boss', content: 'x', mood: 1 }, user, assistant]);
    expect([check.unknownKeys, check.unknownRoles]).toEqual([['mood'], ['boss']]);
  });
});

describe('encodings', () => {
  const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
  const windows1252 = (text: string): string => new TextDecoder('windows-1252').decode(Buffer.from(text, 'utf8'));

  it.each(['café', 'naïve façade', 'Größe', '“quoted” – it’s', '汉字和漢字', 'ひらがな', '😀', 'Привет é', 'œuvre à la carte'])(
    '%s, read wrong',
    (text) => {
      // Cyrillic alone is told by its é here: of its own lead bytes, Ð and Ñ, real words are full.
      for (const broken of [latin1(text), windows1252(text)]) expect(encodingProblem(`so ${broken} it goes`)?.kind).toBe('mojibake');
      expect(encodingProblem(text)).toBeNull();
    },
  );

  it.each(['« Il est passé », dit-elle', 'SÃO PAULO', 'Âge', 'NÃO É', 'ã ã', 'Ænima', 'å ø æ', '5 € – 6 €', 'à «bien»', 'â'])(
    '%s is well',
    (text) => {
      expect(encodingProblem(text)).toBeNull();
    },
  );

  it('finds what a decoder could not read, with its surroundings', () => {
    expect(encodingProblem('0123456789 caf\ufffd au lait')).toEqual({ kind: 'replacement-character', example: '456789 caf\ufffd au lait' });
  });
});

describe('labels', () => {
  const rows = (values: unknown[]) => values.map((label) => ({ label }));

  it('are few values in many rows', () => {
    const found = labelsOf(rows([...Array.from({ length: 9 }, () => 'a'), ' b', 'b', null, '']), 'label');
    expect(found).toEqual([
      { value: 'a', count: 9 },
      { value: 'b', count: 2 },
    ]);
    expect(labelsOf(rows([true, true, false, true, true, false, true, true, true, true]), 'label')).toHaveLength(2);
  });

  it('are not texts, lists, or as many values as rows', () => {
    expect(labelsOf(rows(Array.from({ length: 30 }, (_, i) => `text ${i}`)), 'label')).toBeNull();
    expect(labelsOf(rows(Array.from({ length: 30 }, () => 'long '.repeat(20))), 'label')).toBeNull();
    expect(labelsOf(rows([['a'], ['a']]), 'label')).toBeNull();
    expect(labelsOf(rows(['a', 'b', 'c']), 'label')).toBeNull();
    expect(labelsOf(rows([null]), 'label')).toBeNull();
  });
});

describe('rows', () => {
  const check = (rows: Row[], mapping: DataMapping) => checkRows(setOf(rows), mapping, 'answer');

  it('are looked at by column, whole and by their answers', async () => {
    const mapping: DataMapping = { kind: 'template', template: '{q}\n{a}' };
    const checks = await check(
      [
        { q: 'x', a: 'y', id: 1 },
        { q: ' ', a: 'y', id: null },
        { q: 'x', a: '\n', id: 3 },
        { q: 'x', a: 'y', id: 4 },
        { q: 'cafÃ©', a: 'y\ufffd', id: 5 },
        { q: 'X', a: 'y' },
      ],
      mapping,
    );
    expect(checks.emptyFields).toEqual([
      { column: 'q', isMapped: true, found: { count: 1, rows: [1] } },
      { column: 'a', isMapped: true, found: { count: 1, rows: [2] } },
      { column: 'id', isMapped: false, found: { count: 2, rows: [1, 5] } },
    ]);
    expect(checks.emptyCompletions).toEqual({ count: 1, rows: [2] });
    expect(checks.exactDuplicates).toEqual({ count: 1, rows: [3] });
    expect(checks.encodings).toEqual([{ kind: 'mojibake', example: 'cafÃ©', found: { count: 1, rows: [4] } }]);
    expect(checks.chat).toEqual([]);
  });

  it('are conversations where the mapping says so', async () => {
    const { chat, emptyCompletions } = await check(
      [
        { m: [user, assistant] },
        { m: [user, { ...assistant, content: ' ' }] },
        { m: [{ ...user, a: 1 }, assistant] },
        { m: [{ ...user, b: 1 }, assistant] },
      ],
      { kind: 'messages', column: 'm' },
    );
    expect(chat).toEqual([{ kind: 'chat-unknown-key', found: { count: 2, rows: [2, 3] }, unknown: ['a', 'b'] }]);
    expect(emptyCompletions).toEqual({ count: 1, rows: [1] });
    const asked = await check([{ p: 'x', c: '' }], { kind: 'prompt-completion', prompt: 'p', completion: 'c' });
    expect(asked.emptyCompletions.rows).toEqual([0]);
    const turns = await check([{ p: 'x', c: '' }], { kind: 'turns', user: ['p'], assistant: 'c' });
    expect(turns.emptyCompletions.rows).toEqual([0]);
  });
});
