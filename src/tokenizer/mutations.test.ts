import { expect, test } from 'vitest';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { readPipelines } from '#tokenizer/fixtures/fixture-files.ts';
import { tokenizerFromGguf } from '#tokenizer/gguf-tokenizer.ts';
import { tokenizerFromFiles, type Tokenizer } from '#tokenizer/tokenizer.ts';

const fixture = readPipelines();
const MUTATIONS = 1500;
const VALUES: unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  2 ** 40,
  '',
  'a',
  'Ġ',
  '(',
  [],
  [1],
  ['a', 'b', 'c'],
  {},
  { type: 'Sequence' },
  { String: '' },
];

/** Replaces or removes one value anywhere inside, often near the top. */
function mutate(value: unknown, random: Random): unknown {
  const copy = structuredClone(value) as Record<string, unknown>;
  let place = copy;
  for (;;) {
    const keys = Object.keys(place);
    if (keys.length === 0) return copy;
    const key = keys[random.below(keys.length)];
    const inner = place[key];
    if (typeof inner === 'object' && inner !== null && random.uniform() < 0.8) {
      place = inner as Record<string, unknown>;
      continue;
    }
    if (random.uniform() >= 0.3) place[key] = VALUES[random.below(VALUES.length)];
    else if (Array.isArray(place)) place.splice(Number(key), 1);
    else delete place[key];
    return copy;
  }
}

/** Counts how many mutants are refused; every refusal is an AppError that names the file, and what is accepted works. */
function refusals(count: number, build: (random: Random) => Tokenizer): number {
  const random = new Random(11);
  let refused = 0;
  for (let i = 0; i < count; i++) {
    try {
      const tokenizer = build(random);
      const ids = tokenizer.encode('The 12 teapots,  é 三 😀\n<s>');
      expect(tokenizer.decode(ids)).toBeTypeOf('string');
      expect(ids.every((id) => id < tokenizer.vocabSize)).toBe(true);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expect(error.code).toMatch(/^tokenizer\/(invalid|unsupported)$/);
      expect(error.message).toContain(String(error.details.file));
      refused++;
    }
  }
  return refused;
}

/** A tokenizer.json of 40 tokens, so that a mutation is likely to hit something that matters. */
const small = (() => {
  const vocab = Object.fromEntries(Object.entries(fixture.byteLevel.model.vocab).filter(([, id]) => id < 40));
  const { cases } = fixture;
  const parts = cases.find((each) => each.name === 'llama3')?.patch;
  return { ...fixture.byteLevel, ...parts, model: { ...fixture.byteLevel.model, vocab, merges: [], ignore_merges: true } };
})();

test('a tokenizer.json changed anywhere works or is refused with its name', () => {
  const count = refusals(MUTATIONS, (random) => tokenizerFromFiles(JSON.stringify(mutate(small, random)), null));
  expect(count).toBeGreaterThan(MUTATIONS / 4);
  expect(count).toBeLessThan(MUTATIONS);
});

test('a tokenizer_config.json changed anywhere works or is refused with its name', () => {
  const config = JSON.parse(fixture.folder.files['tokenizer_config.json']);
  const json = JSON.stringify(fixture.byteLevel);
  const extras = { generationConfig: '{"eos_token_id": [2, 3]}' };
  const whole = { ...config, additional_special_tokens: ['<s>'] };
  const count = refusals(200, (random) => tokenizerFromFiles(json, JSON.stringify(mutate(whole, random)), extras));
  expect(count).toBeGreaterThan(50);
  expect(count).toBeLessThan(200);
});

test('metadata changed anywhere works or is refused with the name of the file', () => {
  const metadata = {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁a', '▁ab'],
    'tokenizer.ggml.scores': [0, 0, 0, -9, -8, -7, -1, -2, -3],
    'tokenizer.ggml.token_type': [2, 3, 3, 1, 1, 1, 1, 1, 1],
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.unknown_token_id': 0,
    'tokenizer.ggml.add_bos_token': true,
    'tokenizer.chat_template': 'x',
  };
  const count = refusals(MUTATIONS, (random) =>
    tokenizerFromGguf(new Map(Object.entries(mutate(metadata, random) as object)), { file: 'x.gguf' }),
  );
  expect(count).toBeGreaterThan(MUTATIONS / 4);
  expect(count).toBeLessThan(MUTATIONS);
});

test('sequences nested without end are refused', () => {
  const nested = `${'{"type":"Sequence","pretokenizers":['.repeat(5000)}${']}'.repeat(5000)}`;
  const json = JSON.stringify({ ...small, pre_tokenizer: 0 }).replace('"pre_tokenizer":0', `"pre_tokenizer":${nested}`);
  expect(() => tokenizerFromFiles(json, null)).toThrow(AppError);
});
