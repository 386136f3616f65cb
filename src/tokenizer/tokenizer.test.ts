import { describe, expect, test } from 'vitest';
import { AppError, type ErrorCode } from '#base/errors.ts';
import { memorySource } from '#base/bytes.ts';
import { differences, patched, readPipelines, type TokenizerJson } from '#tokenizer/fixtures/fixture-files.ts';
import { openTokenizer, tokenizerFromFiles, type Tokenizer } from '#tokenizer/tokenizer.ts';

const { texts, cases, folder, byteLevel, metaspace } = readPipelines();
const vocabularies = { byteLevel, metaspace };
const byName = (name: string): Tokenizer => {
  const found = cases.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no case ${name}`);
  return tokenizerFromFiles(JSON.stringify(patched(vocabularies[found.vocabulary], found.patch)), null);
};

describe('every pipeline gives the ids and texts of the tokenizers library', () => {
  test.each(cases.map((each) => [each.name, each] as const))('%s', (_, each) => {
    const tokenizer = tokenizerFromFiles(JSON.stringify(patched(vocabularies[each.vocabulary], each.patch)), null);
    const [prefix, suffix] = each.surround;
    const skip = { skipSpecialTokens: true };
    const bare = (ids: number[]) => ids.slice(prefix.length, ids.length - suffix.length);
    expect(
      differences(
        texts,
        (text) => [...tokenizer.encode(text)],
        (i) => each.ids[i],
      ),
    ).toEqual([]);
    expect(
      differences(
        texts,
        (text) => [...tokenizer.encode(text, { addSpecialTokens: false })],
        (i) => bare(each.ids[i]),
      ),
    ).toEqual([]);
    expect(
      differences(
        each.ids,
        (ids) => tokenizer.decode(ids),
        (i) => each.decoded[i] ?? texts[i],
      ),
    ).toEqual([]);
    expect(
      differences(
        each.ids,
        (ids) => tokenizer.decode(ids, skip),
        (i) => each.skipped[i] ?? texts[i],
      ),
    ).toEqual([]);
  });

  test('a piece that comes again is remembered as it was', () => {
    const tokenizer = byName('gpt2');
    const [i, text] = [...texts.entries()].find(([, each]) => each.length > 40) as [number, string];
    for (let round = 0; round < 3; round++) expect([...tokenizer.encode(text)]).toEqual(cases[0]?.ids[i]);
  });
});

describe('a folder from the hub', () => {
  const all = [...texts.filter((_, i) => i % 4 === 0), ...folder.extra];
  const added = byteLevel.added_tokens.filter((token) => token.content !== '<|turn|>');
  const json = JSON.stringify({ ...byteLevel, added_tokens: added });
  const sources = new Map(
    Object.entries({ ...folder.files, 'tokenizer.json': json, 'generation_config.json': '{"eos_token_id": [2, 3]}' }).map(
      ([name, text]) => [name, memorySource(name, new TextEncoder().encode(text))],
    ),
  );

  test('gives the ids, texts and names that AutoTokenizer gives', async () => {
    const tokenizer = await openTokenizer(sources);
    expect(
      differences(
        all,
        (text) => [...tokenizer.encode(text)],
        (i) => folder.ids[i],
      ),
    ).toEqual([]);
    expect(
      differences(
        folder.ids,
        (ids) => tokenizer.decode(ids),
        (i) => folder.decoded[i],
      ),
    ).toEqual([]);
    expect(
      differences(
        folder.ids,
        (ids) => tokenizer.decode(ids, { skipSpecialTokens: true }),
        (i) => folder.skipped[i],
      ),
    ).toEqual([]);
    expect(tokenizer.specialTokens).toEqual(folder.specialTokens);
    expect(tokenizer.vocabSize).toBe(folder.size);
    expect(tokenizer.chatTemplate).toBe(folder.chatTemplate);
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.padId]).toEqual([1, 2, 0]);
    expect(tokenizer.eosIds).toEqual([2, 3]);
  });

  test('without a tokenizer.json names what is there', async () => {
    const files = new Map(['tokenizer.model', 'config.json'].map((name) => [name, memorySource(name, new Uint8Array())]));
    await expect(openTokenizer(files)).rejects.toMatchObject({ code: 'model/missing-file', details: { found: 'tokenizer.model' } });
  });

  test('takes names from special_tokens_map.json where the config lists no added tokens', () => {
    const tokenizer = tokenizerFromFiles(JSON.stringify(byteLevel), '{"bos_token": "<s>", "eos_token": "<s>"}', {
      specialTokensMap: '{"eos_token": {"content": "</s>"}}',
    });
    expect(tokenizer.specialTokens).toEqual({ bos_token: '<s>', eos_token: '</s>' });
  });

  test('takes templates by name', () => {
    const config = {
      chat_template: [
        { name: 'default', template: 'a' },
        { name: 'tool_use', template: 'b' },
      ],
    };
    const tokenizer = tokenizerFromFiles(JSON.stringify(byteLevel), JSON.stringify(config));
    expect(tokenizer.chatTemplate).toBe('a');
    expect(tokenizer.chatTemplates).toEqual({ default: 'a', tool_use: 'b' });
  });

  test('cleans up after decoding only when told twice', () => {
    const text = folder.extra.at(-1) as string;
    const ids = byName('gpt2').encode(text, { addSpecialTokens: false });
    const once = tokenizerFromFiles(JSON.stringify(byteLevel), '{"clean_up_tokenization_spaces": true}');
    const twice = tokenizerFromFiles(
      JSON.stringify(byteLevel),
      '{"clean_up_tokenization_spaces": true, "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": true}',
    );
    expect(once.decode(ids)).toBe(text);
    expect(twice.decode(ids)).toBe(folder.cleaned);
  });
});

describe('tokens by themselves', () => {
  test('show their text, and bytes that are no character', () => {
    const tokenizer = byName('gpt2');
    const shown = [...tokenizer.encode(' the 😀<|turn|>', { addSpecialTokens: false })].map((id) => tokenizer.tokenText(id));
    expect(shown.join('').replaceAll(/<0x..>/g, '')).toBe(' the <|turn|>');
    expect(shown.some((text) => /^(<0x[0-9A-F]{2}>)+$/.test(text))).toBe(true);
  });

  test('show a space where the vocabulary has its mark', () => {
    const tokenizer = byName('llama 2');
    const shown = [...tokenizer.encode('the \u{10ffff}', { addSpecialTokens: false })].map((id) => tokenizer.tokenText(id));
    expect(shown.join('')).toBe(' the <0xF4><0x8F><0xBF><0xBF>');
  });

  test('past the vocabulary are refused, and left out of a text', () => {
    const tokenizer = byName('gpt2');
    expect(() => tokenizer.tokenText(900)).toThrow(AppError);
    expect(tokenizer.decode([900, 70, 2 ** 31])).toBe(tokenizer.decode([70]));
  });
});

const error = (run: () => unknown): AppError => {
  try {
    run();
  } catch (caught) {
    if (caught instanceof AppError) return caught;
    throw caught;
  }
  throw new Error('nothing was thrown');
};

describe('a broken tokenizer.json is an error that names the place', () => {
  const small: TokenizerJson = {
    ...byteLevel,
    model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2, '<s>': 3 }, merges: [['a', 'b']] },
    added_tokens: [{ id: 3, content: '<s>', special: true }],
    post_processor: null,
  };
  const withModel = (model: Record<string, unknown>) => ({ ...small, model: { ...small.model, ...model } });
  const split = (pattern: object, behavior = 'Isolated') => ({
    ...small,
    pre_tokenizer: { type: 'Split', pattern, behavior, invert: false },
  });

  test('but whole it is none', () => {
    expect([...tokenizerFromFiles(JSON.stringify(small), null).encode('ab<s>a')]).toEqual([2, 3, 0]);
  });

  const broken: [string, unknown, ErrorCode, RegExp][] = [
    ['an array', [], 'tokenizer/invalid', /tokenizer\.json: an array of 0 was found, an object was expected/],
    ['no model', { ...small, model: undefined }, 'tokenizer/invalid', /model: nothing was found, an object was expected/],
    ['an unknown model', withModel({ type: 'Unigram' }), 'tokenizer/unsupported', /model\.type: .*"Unigram" was found, BPE /],
    ['no vocabulary', withModel({ vocab: undefined }), 'tokenizer/invalid', /model\.vocab: nothing was found/],
    ['an empty vocabulary', withModel({ vocab: {}, merges: [] }), 'tokenizer/invalid', /model\.vocab: no tokens were found/],
    ['no merges', withModel({ merges: undefined }), 'tokenizer/invalid', /model\.merges: nothing was found/],
    ['an id that is text', withModel({ vocab: { a: '0' } }), 'tokenizer/invalid', /model\.vocab\.a: the string "0" was found, a token id/],
    ['a fraction for an id', withModel({ vocab: { a: 0.5 } }), 'tokenizer/invalid', /model\.vocab\.a: the number 0\.5/],
    [
      'an id past all vocabularies',
      withModel({ vocab: { a: 1e9 }, merges: [] }),
      'tokenizer/invalid',
      /model\.vocab\.a: the number 1000000000/,
    ],
    ['one id twice', withModel({ vocab: { a: 0, b: 1, ab: 1, '<s>': 3 } }), 'tokenizer/invalid', /the id 1 of "ab" is also that of "b"/],
    [
      'a hole in the ids',
      withModel({ vocab: { a: 0, b: 1, ab: 4, '<s>': 3 } }),
      'tokenizer/invalid',
      /no token with the id 2 was found.*0 to 4/,
    ],
    ['a merge of an unknown token', withModel({ merges: [['a', 'c']] }), 'tokenizer/invalid', /model\.merges\[0\]: .*names "c"/],
    ['a merge into an unknown token', withModel({ merges: ['b a'] }), 'tokenizer/invalid', /model\.merges\[0\]: .*names "ba"/],
    ['a merge of one', withModel({ merges: ['ab'] }), 'tokenizer/invalid', /model\.merges\[0\]: .*two tokens was expected/],
    ['a prefix inside words', withModel({ continuing_subword_prefix: '##' }), 'tokenizer/unsupported', /continuing_subword_prefix/],
    ['dropout', withModel({ dropout: 0.1 }), 'tokenizer/unsupported', /model\.dropout: the number 0\.1 was found/],
    ['an unknown token that is none', withModel({ unk_token: '<unk>' }), 'tokenizer/invalid', /model\.unk_token: the string "<unk>"/],
    ['an unknown pre-tokenizer', { ...small, pre_tokenizer: { type: 'Mecab' } }, 'tokenizer/unsupported', /pre_tokenizer\.type: .*"Mecab"/],
    [
      'an unknown one inside',
      { ...small, pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'X' }] } },
      'tokenizer/unsupported',
      /pretokenizers\[0\]\.type/,
    ],
    ['a split without a pattern', split({}), 'tokenizer/invalid', /pre_tokenizer\.pattern\.String: nothing was found/],
    ['a split by a broken pattern', split({ Regex: '(a' }), 'tokenizer/unsupported', /pre_tokenizer: its patterns cannot be carried out/],
    ['a split of an unknown kind', split({ String: ' ' }, 'Swallowed'), 'tokenizer/unsupported', /pre_tokenizer\.behavior: .*"Swallowed"/],
    ['an unknown normalizer', { ...small, normalizer: { type: 'Lowercase' } }, 'tokenizer/unsupported', /normalizer\.type: .*"Lowercase"/],
    ['an unknown decoder', { ...small, decoder: { type: 'CTC' } }, 'tokenizer/unsupported', /decoder\.type: .*"CTC"/],
    ['an unknown post-processor', { ...small, post_processor: { type: 'X' } }, 'tokenizer/unsupported', /post_processor\.type: .*"X"/],
    [
      'a post-processor with a token that is none',
      { ...small, post_processor: { type: 'BertProcessing', cls: ['x', 9], sep: ['</s>', 2] } },
      'tokenizer/invalid',
      /cls\[1\]: the number 9 was found, the id of a token/,
    ],
    [
      'a template without the text',
      { ...small, post_processor: { type: 'TemplateProcessing', single: [], special_tokens: {} } },
      'tokenizer/invalid',
      /post_processor\.single: .*"A" once/,
    ],
    [
      'a template with an unlisted token',
      {
        ...small,
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>' } }, { Sequence: { id: 'A' } }],
          special_tokens: {},
        },
      },
      'tokenizer/invalid',
      /special_tokens\.<s>: nothing was found/,
    ],
    [
      'an added token without a content',
      { ...small, added_tokens: [{ id: 3 }] },
      'tokenizer/invalid',
      /added_tokens\[0\]\.content: nothing was found/,
    ],
    [
      'an added token with the id of another',
      { ...small, added_tokens: [{ id: 0, content: '<s>' }] },
      'tokenizer/invalid',
      /added_tokens\[0\]: "<s>" with the id 0 .*its id 3 was expected/,
    ],
    [
      'a new added token on a taken id',
      { ...small, added_tokens: [{ id: 1, content: '<x>' }] },
      'tokenizer/invalid',
      /an id other than that of "b"/,
    ],
    [
      'one added token with two ids',
      {
        ...small,
        added_tokens: [
          { id: 4, content: 'x' },
          { id: 5, content: 'x' },
        ],
      },
      'tokenizer/invalid',
      /added_tokens\[1\]: "x" with the id 5 .*its id 4/,
    ],
  ];
  test.each(broken)('%s', (_, value, code, message) => {
    const thrown = error(() => tokenizerFromFiles(JSON.stringify(value), null));
    expect(thrown.message).toMatch(message);
    expect(thrown.code).toBe(code);
    expect(thrown.details.file).toBe('tokenizer.json');
  });

  test('text that is no JSON', () => {
    const thrown = error(() => tokenizerFromFiles('{"model":\n {"vocab": {"a": 0,}}}', null));
    expect(thrown.message).toMatch(/^tokenizer\.json: not JSON at line 2, column 20/);
  });

  const settings: [string, string, string, RegExp][] = [
    [
      'tokenizer_config.json',
      '{"bos_token": "<none>"}',
      '{}',
      /^tokenizer_config\.json: bos_token: the string "<none>" was found, a token of tokenizer\.json/,
    ],
    ['tokenizer_config.json', '{"added_tokens_decoder": {"x": {"content": "a"}}}', '{}', /the key "x" was found, a token id was expected/],
    [
      'tokenizer_config.json',
      '{"added_tokens_decoder": {"0": {"content": "q"}}}',
      '{}',
      /"q" with the id 0 was found, an id other than that of "a"/,
    ],
    [
      'tokenizer_config.json',
      '{"additional_special_tokens": [1]}',
      '{}',
      /additional_special_tokens\[0\]: the number 1 was found, a string/,
    ],
    ['tokenizer_config.json', '{"chat_template": 3}', '{}', /chat_template: the number 3 was found, an array/],
    ['tokenizer_config.json', '[', '{}', /not JSON at line 1, column 2/],
    [
      'generation_config.json',
      '{}',
      '{"eos_token_id": [99]}',
      /^generation_config\.json: eos_token_id: the number 99 was found, the id of a token/,
    ],
    ['generation_config.json', '{}', '{"eos_token_id": "2"}', /eos_token_id: the string "2" was found/],
  ];
  test.each(settings)('%s with %s and %s', (file, config, generationConfig, message) => {
    const thrown = error(() => tokenizerFromFiles(JSON.stringify(small), config, { generationConfig }));
    expect(thrown.message).toMatch(message);
    expect(thrown.code).toBe('tokenizer/invalid');
    expect(thrown.details.file).toBe(file);
  });
});
