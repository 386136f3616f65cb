/** The splits behind the names of `tokenizer.ggml.pre`, as pre-tokenizers of a tokenizer.json. Knows no vocabulary. */

const LLAMA3_SPLIT =
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}` +
  String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const QWEN2_SPLIT = LLAMA3_SPLIT.replace(String.raw`\p{N}{1,3}`, String.raw`\p{N}`);
const TEKKEN_SPLIT =
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+` +
  String.raw`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` +
  String.raw`|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const GPT4O_SPLIT =
  String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
  String.raw`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?` +
  String.raw`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`;

export interface GgufPreTokenizer {
  preTokenizer: object;
  normalizer: object | null;
  /** A piece that is a token is taken whole, whatever the merges say. */
  ignoreMerges: boolean;
}

const gpt2 = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };

function splitBy(Regex: string, options: { ignoreMerges?: boolean; normalizer?: object } = {}): GgufPreTokenizer {
  const split = { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false };
  const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const preTokenizer = { type: 'Sequence', pretokenizers: [split, bytes] };
  return { preTokenizer, normalizer: options.normalizer ?? null, ignoreMerges: options.ignoreMerges ?? false };
}

const GPT2: GgufPreTokenizer = { preTokenizer: gpt2, normalizer: null, ignoreMerges: false };
const LLAMA3 = splitBy(LLAMA3_SPLIT, { ignoreMerges: true });
const QWEN2 = splitBy(QWEN2_SPLIT, { normalizer: { type: 'NFC' } });
const GPT4O = splitBy(GPT4O_SPLIT);
/** Every digit by itself, then GPT-2's split: what SmolLM and StarCoder were trained with. */
const SINGLE_DIGITS: GgufPreTokenizer = {
  ...GPT2,
  preTokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, gpt2] },
};

/**
 * The pre-tokenizers by name. A name of its own means rules of its own, so one that is not here is refused: a wrong split is silent.
 * `default` is what converters write when they know no better; GPT-2's is what transformers takes for it.
 * transformers 5.24 takes GPT-2's for `smollm`, and leaves `ignore_merges` and Qwen's NFC out; here they are as in the models' own
 * tokenizer.json.
 * @source transformers 5.24 integrations/gguf/gguf_tokenizer_mapping.py, llama.cpp src/llama-vocab.cpp
 */
export const GGUF_PRE_TOKENIZERS: ReadonlyMap<string, GgufPreTokenizer> = new Map([
  ...['gpt-2', 'default', 'phi-2'].map((name) => [name, GPT2] as const),
  ...['smollm', 'starcoder'].map((name) => [name, SINGLE_DIGITS] as const),
  ...['llama-bpe', 'llama3', 'llama-v3'].map((name) => [name, LLAMA3] as const),
  ['dbrx', splitBy(LLAMA3_SPLIT)] as const,
  ...['qwen2', 'deepseek-r1-qwen'].map((name) => [name, QWEN2] as const),
  ['tekken', splitBy(TEKKEN_SPLIT, { ignoreMerges: true })] as const,
  ['gpt-4o', GPT4O] as const,
]);
