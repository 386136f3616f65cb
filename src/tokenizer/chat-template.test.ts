import { describe, expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { ChatTemplate, chatTemplateOf, type ChatMessage } from '#tokenizer/chat-template.ts';
import { readChatTemplates, readPipelines } from '#tokenizer/fixtures/fixture-files.ts';
import { tokenizerFromFiles } from '#tokenizer/tokenizer.ts';

const fixture = readChatTemplates();
const now = () => new Date(fixture.now);
const specialTokens = { bos_token: '<s>', eos_token: '</s>' };
const template = (source: string) => new ChatTemplate(source, { specialTokens, now });

const error = (run: () => unknown): AppError => {
  try {
    run();
  } catch (caught) {
    if (caught instanceof AppError) return caught;
    throw caught;
  }
  throw new Error('nothing was thrown');
};

describe('transformers renders the same', () => {
  test.each(Object.keys(fixture.templates))('%s', (name) => {
    const compiled = template(fixture.templates[name]);
    const cases = fixture.cases.filter((each) => each.template === name);
    expect(cases.length).toBeGreaterThan(30);
    for (const { conversation, options, text, error: reason, spans } of cases) {
      const messages = fixture.conversations[conversation];
      if (text === undefined) {
        const thrown = error(() => compiled.render(messages, options));
        expect(thrown.code).toBe('template/invalid');
        expect(thrown.details.line).toBeGreaterThan(0);
        // What the template says itself is passed on; where Python says it, the words are its own.
        if (reason?.startsWith('Conversation roles')) expect(thrown.message).toContain(reason);
        continue;
      }
      expect({ conversation, options, text: compiled.render(messages, options) }).toEqual({ conversation, options, text });
      if (spans !== undefined) {
        const found = compiled.assistantSpans(messages, options);
        expect(found.spans.map(({ start, end }) => found.text.slice(start, end))).toEqual(spans);
      }
    }
  });
});

describe('what a template shows of its errors', () => {
  const messages: ChatMessage[] = [{ role: 'user', content: 'a' }];
  const broken: [string, string, number, RegExp][] = [
    [
      'a block that is never closed',
      '{% for m in messages %}\n{% if m %}\nx\n{% endfor %}',
      4,
      /endfor %} was found where {% endif %} for the {% if %} of line 2/,
    ],
    [
      'a block that the end of the text leaves open',
      'x\n{% for m in messages %}\n{{ m }}',
      2,
      /{% for %} is never closed with {% endfor %}/,
    ],
    ['an end of nothing', 'x\n\n{% endif %}', 3, /{% endif %} closes nothing/],
    ['a tag that is never closed', 'x\n{{ messages', 2, /the tag "{{ messages" is never closed/],
    ['a tag that nothing knows', '{# c\nc #}\n{{ 1 }}{% include "x" %}', 3, /Unknown statement type: include/],
    ['an expression cut short', '\n{{ messages[0 }}', 2, /./],
    ['a character of no expression', '\n\n{{ messages ? 1 }}', 3, /Unexpected character: \?/],
  ];
  test.each(broken)('%s', (_, source, line, message) => {
    const thrown = error(() => template(source));
    expect(thrown.code).toBe('template/invalid');
    expect(thrown.message).toMatch(message);
    expect(thrown.message).toMatch(new RegExp(`^chat template, line ${line}: `));
    expect(thrown.details.line).toBe(line);
  });

  const failing: [string, string, number, RegExp][] = [
    [
      'an exception of its own',
      '{% for m in messages %}\n{% if m.role == "user" %}\n{{ raise_exception("No users: " + m.content) }}\n{% endif %}{% endfor %}',
      3,
      /No users: a$/,
    ],
    ['text and nothing', '{{ messages[0].role }}\n{{ "x" + messages[0].missing }}', 2, /undefined/],
    ['a list in the text', '\n\n{{ messages }}', 3, /a list is written into the text, which needs tojson/],
    ['an unknown filter', '{# #}\n{{ "a" | shout }}', 2, /shout/],
    ['strip of a number', '\n{{ (1).strip() }}', 2, /strip\(\) was called on the value 1/],
    ['the length of a number', '\n{{ 1 | length }}', 2, /the value 1 has no length/],
    ['an unknown date', '\n{{ strftime_now("%Q") }}', 2, /%Q/],
    ['a failure inside a macro', '{% macro f(x) %}\n{{ raise_exception(x) }}\n{% endmacro %}\n\n{{ f("deep") }}', 2, /deep/],
  ];
  test.each(failing)('%s', (_, source, line, message) => {
    const thrown = error(() => template(source).render(messages));
    expect(thrown.code).toBe('template/invalid');
    expect(thrown.message).toMatch(message);
    expect(thrown.details.line).toBe(line);
  });

  test('no messages', () => {
    expect(error(() => template('x').render([])).message).toMatch(/no messages were found/);
  });

  test('a tokenizer without a template', () => {
    const tokenizer = tokenizerFromFiles(JSON.stringify(readPipelines().byteLevel), null);
    expect(error(() => chatTemplateOf(tokenizer)).message).toMatch(/no chat template was found/);
  });
});

test('a tokenizer of several templates gives the one for tools when there are tools', () => {
  const config = {
    bos_token: '<s>',
    chat_template: [
      { name: 'default', template: '{{ bos_token }}plain' },
      { name: 'tool_use', template: '{{ bos_token }}tools' },
    ],
  };
  const tokenizer = tokenizerFromFiles(JSON.stringify(readPipelines().byteLevel), JSON.stringify(config));
  const messages: ChatMessage[] = [{ role: 'user', content: 'a' }];
  expect(chatTemplateOf(tokenizer).render(messages)).toBe('<s>plain');
  expect(chatTemplateOf(tokenizer, { withTools: true }).render(messages)).toBe('<s>tools');
});

test('jumps in loops keep what was written, in inner loops too', () => {
  const source =
    '{% for a in [1, 2, 3, 4] %}[{{ a }}{% for b in range(5) %}{% if b == 1 %}{% continue %}' +
    '{% elif b == 3 %}-{% break %}{% endif %}{{ b }}{% endfor %}' +
    '{% if a == 2 %}!{% continue %}{% endif %}]{% if a == 3 %}{% break %}{% endif %}{% else %}none{% endfor %}';
  expect(template(source).render([{ role: 'user' }])).toBe('[102-][202-![302-]');
});

test('the language of the browser does not change a date', () => {
  const dated = new ChatTemplate('{{ strftime_now("%-d %B %Y, %A, %p") }}', { now: () => new Date(2024, 6, 6, 13, 0, 0) });
  expect(dated.render([{ role: 'user' }])).toBe('6 July 2024, Saturday, PM');
});

describe('the spans of the assistant', () => {
  const turns: ChatMessage[] = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello, 世界 😀' },
    { role: 'user', content: 'Bye' },
    { role: 'assistant', content: 'See you.' },
  ];
  const cut = (source: string, messages = turns) => {
    const { text, spans } = template(source).assistantSpans(messages);
    expect(text).toBe(template(source).render(messages));
    return spans.map(({ message, start, end }) => [message, text.slice(start, end)]);
  };

  test('are its messages with what closes them', () => {
    expect(cut(fixture.templates.smollm2)).toEqual([
      [1, 'Hello, 世界 😀<|im_end|>\n'],
      [3, 'See you.<|im_end|>\n'],
    ]);
    expect(cut(fixture.templates.llama3)).toEqual([
      [1, 'Hello, 世界 😀<|eot_id|>'],
      [3, 'See you.<|eot_id|>'],
    ]);
  });

  test('are what the template says is generated', () => {
    expect(cut(fixture.templates.chatml)).toEqual([
      [-1, 'Hello, 世界 😀<|im_end|>'],
      [-1, 'See you.<|im_end|>'],
    ]);
  });

  test('cannot be told where the template writes a message otherwise once others follow', () => {
    const thinking: ChatMessage[] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b', reasoning_content: 'thought' },
      { role: 'user', content: 'c' },
      { role: 'assistant', content: 'd', reasoning_content: 'again' },
    ];
    const thrown = error(() => template(fixture.templates.qwen).assistantSpans(thinking));
    expect(thrown.code).toBe('template/invalid');
    expect(thrown.details.message).toBe(1);
    expect(thrown.message).toMatch(/message 1: .*at character \d+ ".*<think>.*" was found, ".*b<\|im_end\|>.*" was expected/);
  });

  test('cannot be told where the generation prompt is not how the message begins', () => {
    const source =
      '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:\n{% endif %}';
    expect(error(() => template(source).assistantSpans(turns)).message).toMatch(/with the generation prompt, render to no prefix/);
  });

  test('cannot be told for a first message', () => {
    expect(error(() => template(fixture.templates.smollm2).assistantSpans(turns.slice(1))).message).toMatch(/it is the first message/);
  });

  test('are refused where a message has the characters that mark them', () => {
    const messages: ChatMessage[] = [{ role: 'user', content: '\ufdd0' }];
    expect(error(() => template(fixture.templates.chatml).assistantSpans(messages)).message).toMatch(/U\+FDD0 or U\+FDD1 was found/);
  });
});
