/** One tokenizer, whatever file it came from; here from the files of a Hugging Face folder. Knows no model and no data. */
import { AppError } from '#base/errors.ts';
import { readText, type ByteSource } from '#base/bytes.ts';
import { BpeTokenizer } from '#tokenizer/bpe-tokenizer.ts';
import { JsonField } from '#tokenizer/json-field.ts';
import { readEosIds, readSettings } from '#tokenizer/special-tokens.ts';

/** Text to token ids and back, as transformers 5.24 does with the same files. */
export interface Tokenizer {
  /** One past the largest token id. */
  readonly vocabSize: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  /** Every id that ends an answer: `eosId` first, then those of generation_config.json. */
  readonly eosIds: readonly number[];
  /** The template named `default`. */
  readonly chatTemplate: string | null;
  /** All templates by name, such as `tool_use`, which transformers takes when there are tools. */
  readonly chatTemplates: Readonly<Record<string, string>>;
  /** Name to content: `bos_token`, `eos_token`, `pad_token`, `unk_token` and a model's own, where it has them. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Special tokens written in the text are recognised. `addSpecialTokens` (default true) adds those around a sequence. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): Uint32Array;
  /** Ids that are no token are left out. `skipSpecialTokens` is false by default. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /**
   * What one token stands for, for showing it: " hello", or `<0xE4>` for a byte that is no whole character.
   * @throws AppError `tokenizer/invalid` when the id is no token.
   */
  tokenText(id: number): string;
}

/** Files beside tokenizer.json and tokenizer_config.json, as text, where the folder has them. */
export interface TokenizerExtras {
  specialTokensMap?: string | null;
  /** chat_template.jinja, where transformers keeps the template since 4.52. */
  chatTemplate?: string | null;
  generationConfig?: string | null;
}

/**
 * Builds a tokenizer from the text of its files. tokenizer.json is followed as it stands, as transformers' TokenizersBackend does. Where
 * tokenizer_config.json names GPT2Tokenizer, LlamaTokenizer or another class that builds its own pipeline from vocabulary and merges,
 * transformers 5 takes that pipeline instead of the file's, and other tokens can come of it than the model was trained with.
 * @throws AppError `tokenizer/invalid` for what is broken, `tokenizer/unsupported` for a part that cannot be carried out exactly:
 * file, path, found and expected are in the message.
 */
export function tokenizerFromFiles(tokenizerJson: string, tokenizerConfig: string | null, extras: TokenizerExtras = {}): Tokenizer {
  const parse = (file: string, text: string | null | undefined) =>
    text === null || text === undefined ? null : JsonField.parse(file, text);
  const json = JsonField.parse('tokenizer.json', tokenizerJson);
  const config = parse('tokenizer_config.json', tokenizerConfig);
  const specialTokensMap = parse('special_tokens_map.json', extras.specialTokensMap);
  const generationConfig = parse('generation_config.json', extras.generationConfig);
  const settings = readSettings(config, specialTokensMap, extras.chatTemplate ?? null);
  return new BpeTokenizer(json, settings, generationConfig === null ? [] : readEosIds(generationConfig));
}

/** The largest tokenizer.json known is 38 MB. */
const MAX_TOKENIZER_JSON_BYTES = 128 * 2 ** 20;
const MAX_SMALL_FILE_BYTES = 16 * 2 ** 20;

/**
 * Builds the tokenizer of a Hugging Face folder from its files by name.
 * @throws AppError `model/missing-file` without a tokenizer.json, and as `tokenizerFromFiles`.
 */
export async function openTokenizer(files: ReadonlyMap<string, ByteSource>): Promise<Tokenizer> {
  const read = async (name: string, limitBytes = MAX_SMALL_FILE_BYTES): Promise<string | null> => {
    const source = files.get(name);
    return source === undefined ? null : readText(source, limitBytes);
  };
  const json = await read('tokenizer.json', MAX_TOKENIZER_JSON_BYTES);
  if (json === null) {
    const found = [...files.keys()].filter((name) => /token|vocab|merges|spiece/.test(name)).join(', ') || 'no tokenizer file';
    throw new AppError('model/missing-file', `tokenizer.json: ${found} was found, tokenizer.json was expected in the folder`, {
      file: 'tokenizer.json',
      found,
      expected: 'tokenizer.json',
    });
  }
  return tokenizerFromFiles(json, await read('tokenizer_config.json'), {
    specialTokensMap: await read('special_tokens_map.json'),
    chatTemplate: await read('chat_template.jinja'),
    generationConfig: await read('generation_config.json'),
  });
}
