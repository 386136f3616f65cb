/** The tokenizer inside a GGUF: its metadata rewritten as the tokenizer.json that it was made from. Knows values, not the file format. */
import { isByteLevel, toByteCharacters } from '#tokenizer/byte-level.ts';
import { BpeTokenizer } from '#tokenizer/bpe-tokenizer.ts';
import { GGUF_PRE_TOKENIZERS } from '#tokenizer/gguf-pre-tokenizers.ts';
import { JsonField } from '#tokenizer/json-field.ts';
import { mergesOfScores } from '#tokenizer/score-merges.ts';
import type { TokenizerSettings } from '#tokenizer/special-tokens.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export interface GgufTokenizerOptions {
  /** The file's name, for errors. */
  file?: string;
  /** Takes another name than `tokenizer.ggml.pre` says: `gpt-2` gives what transformers 5.24 makes of a `smollm` file. */
  preTokenizer?: string;
}

/** `tokenizer.ggml.token_type` @source llama.cpp include/llama.h (llama_token_type) */
const TokenType = { unknown: 2, control: 3, userDefined: 4 } as const;

interface Vocabulary {
  read: (key: string) => JsonField;
  tokens: string[];
  types: ArrayLike<number>;
}

/** The parts of a tokenizer.json. */
interface Parts {
  model: Record<string, unknown>;
  normalizer: object | null;
  pre_tokenizer: object | null;
  decoder: object;
}

/**
 * Builds the tokenizer of a GGUF's metadata: byte-level BPE (`gpt2`) or SentencePiece's BPE (`llama`). Control tokens are special, and
 * user-defined ones are found whole, as llama.cpp does; transformers leaves out those that have a character past the byte alphabet.
 * @param metadata values by key: numbers, strings, booleans, arrays or typed arrays
 * @throws AppError `tokenizer/unsupported` for another model or pre-tokenizer, `tokenizer/invalid` for what is broken
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>, options: GgufTokenizerOptions = {}): Tokenizer {
  const file = options.file ?? 'the GGUF file';
  const read = (key: string): JsonField => {
    const value = metadata.get(key);
    return new JsonField(file, key, ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value);
  };
  const model = read('tokenizer.ggml.model').oneOf(['gpt2', 'llama']);
  const tokens = readTokens(read('tokenizer.ggml.tokens'));
  const vocabulary: Vocabulary = { read, tokens, types: readTypes(read('tokenizer.ggml.token_type'), tokens.length) };
  const parts = model === 'gpt2' ? byteLevelParts(vocabulary, options) : sentencePieceParts(vocabulary);

  const contents = Object.entries(parts.model.vocab as Record<string, number>);
  const added_tokens = contents.flatMap(([content, id]) => {
    const type = vocabulary.types[id];
    if (type !== TokenType.unknown && type !== TokenType.control && type !== TokenType.userDefined) return [];
    return [{ id, content, special: type !== TokenType.userDefined, normalized: false }];
  });
  const settings = readSettings(vocabulary, parts.model.vocab as Record<string, number>);
  const post_processor = surround(vocabulary, model === 'llama', settings);
  return new BpeTokenizer(new JsonField(file, 'tokenizer.ggml', { ...parts, added_tokens, post_processor }), settings, []);
}

function readTokens(field: JsonField): string[] {
  if (!Array.isArray(field.value) || field.value.length === 0) throw field.invalid('an array of tokens');
  const seen = new Map<string, number>();
  for (const [i, token] of (field.value as unknown[]).entries()) {
    if (typeof token !== 'string') throw field.items()[i].invalid('a string');
    const first = seen.get(token);
    if (first !== undefined) {
      const found = `${JSON.stringify(token)} with the ids ${first} and ${i}`;
      throw field.error('tokenizer/invalid', `${found} was found, each token once was expected`, found, 'each token once');
    }
    seen.set(token, i);
  }
  return field.value as string[];
}

function readTypes(field: JsonField, count: number): ArrayLike<number> {
  if (field.missing) return new Uint8Array(count);
  const types = field.value as unknown[];
  if (!Array.isArray(types) || types.length !== count || types.some((type) => typeof type !== 'number')) {
    throw field.invalid(`an array of ${count} token types`);
  }
  return types as number[];
}

function byteLevelParts({ read, tokens, types }: Vocabulary, options: GgufTokenizerOptions): Parts {
  const stated = read('tokenizer.ggml.pre');
  const name = options.preTokenizer ?? (stated.missing ? 'default' : stated.string());
  const known = GGUF_PRE_TOKENIZERS.get(name);
  if (known === undefined) throw new JsonField(stated.file, stated.path, name).unsupported([...GGUF_PRE_TOKENIZERS.keys()].join(', '));
  const contents = new Set(tokens);
  const spelled = tokens.map((token, id) => {
    // Tokens that are found whole stand as they are; some files write ordinary ones in plain text.
    const isWhole = types[id] === TokenType.control || types[id] === TokenType.userDefined;
    if (isWhole || isByteLevel(token)) return token;
    const bytes = toByteCharacters(token);
    return contents.has(bytes) ? token : bytes;
  });
  const merges = read('tokenizer.ggml.merges');
  if (merges.missing) throw merges.invalid('an array of merges');
  return {
    model: { type: 'BPE', vocab: vocabOf(spelled), merges: merges.value, unk_token: null, ignore_merges: known.ignoreMerges },
    normalizer: known.normalizer,
    pre_tokenizer: known.preTokenizer,
    decoder: { type: 'ByteLevel' },
  };
}

/**
 * SentencePiece's BPE as LlamaTokenizer carries it out, and as the tokenizer.json of Gemma and Phi-3 do, told by the architecture.
 * @source transformers 5.24 integrations/gguf/gguf_tokenizer_mapping.py, models/llama/tokenization_llama.py
 */
function sentencePieceParts({ read, tokens }: Vocabulary): Parts {
  const architecture = read('general.architecture').value;
  const isGemma = typeof architecture === 'string' && /^gemma[23]?$/.test(architecture);
  const isPhi3 = architecture === 'phi3';
  // Gemma's files have runs of spaces in plain text, and scores that are not the order of its merges: the order of the tokens is.
  const pieces = isGemma ? tokens.map((token) => (/^ +$/.test(token) ? '\u2581'.repeat(token.length) : token)) : tokens;
  const merges = read('tokenizer.ggml.merges');
  const derived = () =>
    mergesOfScores(pieces, isGemma ? pieces.map((_, i) => -i) : readScores(read('tokenizer.ggml.scores'), tokens.length));
  const unknown = read('tokenizer.ggml.unknown_token_id');
  const hasPrefix = !isGemma && read('tokenizer.ggml.add_space_prefix').boolean(true);
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };
  const decoders: object[] = [{ type: 'Replace', pattern: { String: '\u2581' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }];
  if (hasPrefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 });
  const prefix = hasPrefix ? [{ type: 'Prepend', prepend: '\u2581' }] : [];
  return {
    model: {
      type: 'BPE',
      vocab: vocabOf(pieces),
      merges: merges.missing ? derived() : merges.value,
      unk_token: isGemma && !unknown.missing ? tokenOf(unknown, tokens) : null,
      fuse_unk: true,
      byte_fallback: true,
    },
    normalizer: isGemma || isPhi3 ? { type: 'Sequence', normalizers: [...prefix, space] } : null,
    pre_tokenizer:
      isGemma || isPhi3 ? null : { type: 'Metaspace', replacement: '\u2581', prepend_scheme: hasPrefix ? 'first' : 'never', split: false },
    decoder: { type: 'Sequence', decoders },
  };
}

function readScores(field: JsonField, count: number): number[] {
  const scores = field.value as unknown[];
  if (!Array.isArray(scores) || scores.length !== count || scores.some((score) => typeof score !== 'number' || Number.isNaN(score))) {
    throw field.invalid(`an array of ${count} scores`);
  }
  return scores as number[];
}

function vocabOf(tokens: readonly string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

function tokenOf(field: JsonField, tokens: readonly string[]): string {
  const token = tokens[field.id()];
  if (token === undefined) throw field.invalid(`a token id from 0 to ${tokens.length - 1}`);
  return token;
}

function readSettings({ read, tokens }: Vocabulary, vocab: Record<string, number>): TokenizerSettings {
  const contents = Object.keys(vocab);
  const named = new Map<string, JsonField>();
  for (const [name, key] of [
    ['bos', 'bos'],
    ['eos', 'eos'],
    ['unk', 'unknown'],
    ['pad', 'padding'],
  ] as const) {
    const field = read(`tokenizer.ggml.${key}_token_id`);
    if (field.missing) continue;
    tokenOf(field, tokens);
    named.set(
      `${name}_token`,
      new JsonField(
        field.file,
        field.path,
        contents.find((content) => vocab[content] === field.value),
      ),
    );
  }
  const template = read('tokenizer.chat_template');
  return { named, added: [], extra: [], chatTemplates: template.missing ? {} : { default: template.string() }, cleansUp: false };
}

/** `add_bos_token` and `add_eos_token` as a post-processor; SentencePiece's files mean a beginning token where they say nothing. */
function surround({ read }: Vocabulary, isSentencePiece: boolean, settings: TokenizerSettings): object | null {
  const single: object[] = [{ Sequence: { id: 'A', type_id: 0 } }];
  const special_tokens: Record<string, object> = {};
  for (const [name, byDefault] of [
    ['bos', isSentencePiece],
    ['eos', false],
  ] as const) {
    const flag = read(`tokenizer.ggml.add_${name}_token`);
    const id = read(`tokenizer.ggml.${name}_token_id`);
    const content = settings.named.get(`${name}_token`)?.string();
    if (!flag.boolean(byDefault) || (flag.missing && content === undefined)) continue;
    if (content === undefined) throw id.invalid('the id of a token');
    special_tokens[content] = { id: content, ids: [id.value], tokens: [content] };
    const item = { SpecialToken: { id: content, type_id: 0 } };
    if (name === 'bos') single.unshift(item);
    else single.push(item);
  }
  return single.length === 1 ? null : { type: 'TemplateProcessing', single, pair: [], special_tokens };
}
