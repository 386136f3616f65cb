import { describe, expect, test } from 'vitest';
import { AppError, type ErrorCode } from '#base/errors.ts';
import { differences, readPipelines, type GgufCase } from '#tokenizer/fixtures/fixture-files.ts';
import { tokenizerFromGguf } from '#tokenizer/gguf-tokenizer.ts';

const fixture = readPipelines();
const texts = fixture.texts.filter((_, i) => i % 2 === 0);

/** The metadata that the reference wrote into the case's GGUF. */
function metadataOf(each: GgufCase): Map<string, unknown> {
  const { vocab, merges } = (each.model === 'gpt2' ? fixture.byteLevel : fixture.metaspace).model;
  const tokens = Object.entries(vocab).sort((a, b) => a[1] - b[1]);
  const metadata = new Map<string, unknown>([
    ['general.architecture', each.extra.architecture ?? 'llama'],
    ['tokenizer.ggml.model', each.model],
    ['tokenizer.ggml.tokens', tokens.map(([token]) => token)],
    ['tokenizer.ggml.token_type', Int32Array.from(each.types)],
  ]);
  if (each.model === 'gpt2')
    metadata.set(
      'tokenizer.ggml.merges',
      merges.map((merge) => merge.join(' ')),
    );
  else
    metadata.set(
      'tokenizer.ggml.scores',
      Float32Array.from(tokens, (_, i) => Math.min(0, 259 - i)),
    );
  const keys = {
    pre: each.pre,
    bos: each.extra.bos,
    eos: each.extra.eos,
    unk: each.extra.unk,
    pad: each.extra.pad,
    add_bos: each.extra.add_bos,
  };
  const names = {
    pre: 'pre',
    bos: 'bos_token_id',
    eos: 'eos_token_id',
    unk: 'unknown_token_id',
    pad: 'padding_token_id',
    add_bos: 'add_bos_token',
  };
  for (const [key, name] of Object.entries(names)) {
    const value = keys[key as keyof typeof keys];
    if (value !== undefined && value !== null) metadata.set(`tokenizer.ggml.${name}`, value);
  }
  return metadata;
}

describe('a GGUF vocabulary gives the ids that transformers reads from the same file', () => {
  // transformers leaves Qwen's NFC out; there the ids are those of the tokenizer.json with it.
  const qwen2 = fixture.cases.find((each) => each.name === 'qwen2')?.ids ?? [];
  test.each(fixture.gguf.map((each) => [each.name, each] as const))('%s', (_, each) => {
    const tokenizer = tokenizerFromGguf(metadataOf(each));
    const isChanged = (i: number) => each.pre === 'qwen2' && texts[i].normalize('NFC') !== texts[i];
    const expected = (i: number) => (isChanged(i) ? qwen2[2 * i] : each.ids[i]);
    expect(differences(texts, (text) => [...tokenizer.encode(text)], expected)).toEqual([]);
    // GemmaTokenizer adds a <mask> of its own, past the vocabulary.
    expect(each.specialTokens).toMatchObject(tokenizer.specialTokens);
  });

  test('and the texts back', () => {
    const gpt2 = tokenizerFromGguf(metadataOf(fixture.gguf[0]));
    const gemma = tokenizerFromGguf(metadataOf(fixture.gguf[9]));
    for (const tokenizer of [gpt2, gemma]) {
      const skip = { skipSpecialTokens: true };
      const plain = texts.filter((text) => !text.includes('<'));
      expect(
        differences(
          plain,
          (text) => tokenizer.decode(tokenizer.encode(text), skip),
          (i) => plain[i],
        ),
      ).toEqual([]);
    }
  });
});

const gpt2 = (changes: Record<string, unknown> = {}): Map<string, unknown> =>
  new Map<string, unknown>(
    Object.entries({
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'gpt-2',
      'tokenizer.ggml.tokens': ['a', 'b', 'ab', '<s>', 'Ġ', '<｜end｜>', '  '],
      'tokenizer.ggml.token_type': Int32Array.from([1, 1, 1, 3, 1, 3, 4]),
      'tokenizer.ggml.merges': ['a b'],
      'tokenizer.ggml.bos_token_id': 3,
      'tokenizer.ggml.eos_token_id': 5,
      ...changes,
    }),
  );
const llama = (changes: Record<string, unknown> = {}): Map<string, unknown> =>
  new Map<string, unknown>(
    Object.entries({
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁a', '▁ab'],
      'tokenizer.ggml.scores': Float32Array.from([0, 0, 0, -9, -8, -7, -1, -2, -3]),
      'tokenizer.ggml.token_type': [2, 3, 3, 1, 1, 1, 1, 1, 1],
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
      'tokenizer.ggml.unknown_token_id': 0,
      ...changes,
    }),
  );

describe('the flags of a GGUF', () => {
  test('control and user-defined tokens are found whole, whatever their characters', () => {
    const tokenizer = tokenizerFromGguf(gpt2());
    expect([...tokenizer.encode('ab<｜end｜>  a b<s>')]).toEqual([2, 5, 6, 0, 4, 1, 3]);
    expect(tokenizer.decode([2, 5, 6, 0], { skipSpecialTokens: true })).toBe('ab  a');
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.padId, tokenizer.vocabSize]).toEqual([3, 5, null, 7]);
  });

  test('beginning and end tokens are added where the file says so', () => {
    const tokenizer = tokenizerFromGguf(gpt2({ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': true }));
    expect([...tokenizer.encode('ab')]).toEqual([3, 2, 5]);
    expect([...tokenizer.encode('ab', { addSpecialTokens: false })]).toEqual([2]);
  });

  test('an ordinary token in plain text is found by its bytes', () => {
    const tokenizer = tokenizerFromGguf(
      gpt2({
        'tokenizer.ggml.tokens': ['a', 'b', 'a b', '<s>', 'Ġ', '<｜end｜>', 'Ġb'],
        'tokenizer.ggml.token_type': [1, 1, 1, 3, 1, 3, 1],
        'tokenizer.ggml.merges': ['Ġ b', 'a Ġb'],
      }),
    );
    expect([...tokenizer.encode(' b')]).toEqual([6]);
    expect(tokenizer.decode([2])).toBe('a b');
  });

  test('SentencePiece adds a beginning token unless told otherwise, and a space before the text', () => {
    expect([...tokenizerFromGguf(llama()).encode('ab a')]).toEqual([1, 8, 7]);
    expect([...tokenizerFromGguf(llama({ 'tokenizer.ggml.add_bos_token': false })).encode('ab')]).toEqual([8]);
    const bare = tokenizerFromGguf(llama({ 'tokenizer.ggml.add_space_prefix': false }));
    expect([...bare.encode('ab a')]).toEqual([1, 6, 7]);
    expect(bare.decode([7, 6])).toBe(' aab');
  });

  test('SentencePiece merges by score, not by length or place', () => {
    const byScore = (scores: number[]) => [
      ...tokenizerFromGguf(llama({ 'tokenizer.ggml.scores': scores })).encode('ab', { addSpecialTokens: false }),
    ];
    expect(byScore([0, 0, 0, -9, -8, -7, -2, -1, -99])).toEqual([8]);
    const noWhole = (scores: number[]) => [
      ...tokenizerFromGguf(
        llama({ 'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁a', 'x'], 'tokenizer.ggml.scores': scores }),
      ).encode('ab', { addSpecialTokens: false }),
    ];
    expect(noWhole([0, 0, 0, -9, -8, -7, -2, -1, -99])).toEqual([7, 5]);
    expect(noWhole([0, 0, 0, -9, -8, -7, -1, -2, -99])).toEqual([3, 6]);
  });
});

describe('broken metadata is an error that names the key', () => {
  const broken: [string, Map<string, unknown>, ErrorCode, RegExp][] = [
    ['no model', gpt2({ 'tokenizer.ggml.model': undefined }), 'tokenizer/invalid', /x\.gguf: tokenizer\.ggml\.model: nothing was found/],
    ['an unknown model', gpt2({ 'tokenizer.ggml.model': 't5' }), 'tokenizer/unsupported', /"t5" was found, gpt2, llama is/],
    [
      'an unknown split',
      gpt2({ 'tokenizer.ggml.pre': 'chameleon' }),
      'tokenizer/unsupported',
      /tokenizer\.ggml\.pre: the string "chameleon" was found, gpt-2, /,
    ],
    ['no tokens', gpt2({ 'tokenizer.ggml.tokens': [] }), 'tokenizer/invalid', /tokenizer\.ggml\.tokens: an array of 0 was found/],
    [
      'a token that is a number',
      gpt2({ 'tokenizer.ggml.tokens': ['a', 1] }),
      'tokenizer/invalid',
      /tokenizer\.ggml\.tokens\[1\]: the number 1/,
    ],
    ['a token twice', gpt2({ 'tokenizer.ggml.tokens': ['a', 'b', 'a'] }), 'tokenizer/invalid', /"a" with the ids 0 and 2 was found/],
    [
      'too few types',
      gpt2({ 'tokenizer.ggml.token_type': [1] }),
      'tokenizer/invalid',
      /token_type: an array of 1 was found, an array of 7 /,
    ],
    ['no merges', gpt2({ 'tokenizer.ggml.merges': undefined }), 'tokenizer/invalid', /tokenizer\.ggml\.merges: nothing was found/],
    ['a merge of an unknown token', gpt2({ 'tokenizer.ggml.merges': ['a b', 'b c'] }), 'tokenizer/invalid', /merges\[1\]: .*names "c"/],
    [
      'an id past the end',
      gpt2({ 'tokenizer.ggml.eos_token_id': 7 }),
      'tokenizer/invalid',
      /eos_token_id: the number 7 was found, a token id from 0 to 6/,
    ],
    [
      'a beginning token without an id',
      gpt2({ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.bos_token_id': undefined }),
      'tokenizer/invalid',
      /bos_token_id: nothing was found, the id of a token/,
    ],
    [
      'a flag that is a number',
      gpt2({ 'tokenizer.ggml.add_bos_token': 1 }),
      'tokenizer/invalid',
      /add_bos_token: the number 1 was found, true or false/,
    ],
    ['a template that is none', gpt2({ 'tokenizer.chat_template': 1 }), 'tokenizer/invalid', /tokenizer\.chat_template: the number 1/],
    [
      'no scores',
      llama({ 'tokenizer.ggml.scores': undefined }),
      'tokenizer/invalid',
      /tokenizer\.ggml\.scores: nothing was found, an array of 9 scores/,
    ],
    ['too few scores', llama({ 'tokenizer.ggml.scores': Float32Array.from([1]) }), 'tokenizer/invalid', /scores: an array of 1 was found/],
  ];
  test.each(broken)('%s', (_, metadata, code, message) => {
    let thrown: unknown;
    try {
      tokenizerFromGguf(metadata, { file: 'x.gguf' });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AppError);
    expect((thrown as AppError).message).toMatch(message);
    expect(thrown).toMatchObject({ code, details: { file: 'x.gguf' } });
  });
});
