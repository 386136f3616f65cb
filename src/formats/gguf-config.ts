/** Hugging Face's config.json out of a GGUF's metadata. Knows metadata and names of tensors, reads no tensor. */
import { AppError } from '#base/errors.ts';
import type { GgufFile, GgufValue } from '#formats/gguf.ts';

/** Sizes of a model: past this nothing fits, and products of two stay exact. */
const MAX_SIZE = 16_777_216;

/** Reads typed values of `<architecture>.<key>` out of the metadata, with errors that name the key. */
class Metadata {
  readonly #file: GgufFile;
  readonly #architecture: string;

  constructor(file: GgufFile, architecture: string) {
    this.#file = file;
    this.#architecture = architecture;
  }

  fail(code: 'model/invalid' | 'model/unsupported', message: string): AppError {
    return new AppError(code, `${this.#file.source.name}: ${message}`, { file: this.#file.source.name });
  }

  value(key: string): GgufValue | undefined {
    return this.#file.metadata.get(`${this.#architecture}.${key}`);
  }

  #number(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    // Some architectures give a list, one number a block; Llama's blocks are all alike.
    const found = typeof value === 'object' ? `a list of ${value.length}` : String(value);
    throw this.fail('model/unsupported', `${this.#architecture}.${key} is ${found}, one number was expected`);
  }

  positive(key: string): number | undefined {
    const value = this.#number(key);
    if (value !== undefined && !(value > 0))
      throw this.fail('model/invalid', `${this.#architecture}.${key} is ${value}, a number above 0 was expected`);
    return value;
  }

  size(key: string): number | undefined {
    const value = this.#number(key);
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= MAX_SIZE)) {
      throw this.fail('model/invalid', `${this.#architecture}.${key} is ${value}, a whole number from 1 to ${MAX_SIZE} was expected`);
    }
    return value;
  }

  requiredSize(key: string): number {
    const value = this.size(key);
    if (value === undefined) throw this.fail('model/invalid', `the metadata has no ${this.#architecture}.${key}`);
    return value;
  }

  text(key: string): string | undefined {
    const value = this.value(key);
    if (value !== undefined && typeof value !== 'string') throw this.fail('model/invalid', `${this.#architecture}.${key} is no string`);
    return value;
  }

  /** A token id under `tokenizer.ggml.`, or null. */
  tokenId(key: string): number | null {
    const value = this.#file.metadata.get(`tokenizer.ggml.${key}`);
    return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null;
  }
}

/** `rope_scaling` as config.json has it. Llama 3's scaling is not here: the converter stores it as the tensor rope_freqs. */
function ropeScaling(metadata: Metadata): Record<string, unknown> | null {
  const type = metadata.text('rope.scaling.type');
  const factor = metadata.positive('rope.scaling.factor') ?? metadata.positive('rope.scale_linear');
  if (type === 'none' || factor === undefined || (type === undefined && factor === 1)) return null;
  const original = metadata.size('rope.scaling.original_context_length');
  return { rope_type: type ?? 'linear', factor, ...(original === undefined ? {} : { original_max_position_embeddings: original }) };
}

function headSize(metadata: Metadata, hidden: number, heads: number): number {
  const rotated = metadata.size('rope.dimension_count');
  const size = metadata.size('attention.key_length') ?? rotated ?? hidden / heads;
  const values = metadata.size('attention.value_length') ?? size;
  if (!Number.isInteger(size) || size % 2 !== 0) {
    throw metadata.fail('model/invalid', `heads of ${size} were found (${hidden} wide, ${heads} heads), an even size was expected`);
  }
  if ((rotated ?? size) !== size || values !== size) {
    const found = `keys of ${size}, values of ${values}, ${rotated ?? size} of them rotated`;
    throw metadata.fail('model/unsupported', `${found} were found, three equal sizes were expected`);
  }
  return size;
}

/**
 * The config of a Llama-family file, with Hugging Face's names.
 * `ropeFactors` is the tensor rope_freqs (Llama 3's scaling, one divisor a frequency), kept as `loratory_rope_factors`.
 * @throws AppError `model/invalid` for missing or impossible sizes, `model/unsupported` for a mixture of experts or partial rotation.
 */
export function llamaConfig(file: GgufFile, ropeFactors: number[] | null): Record<string, unknown> {
  const metadata = new Metadata(file, 'llama');
  const experts = metadata.value('expert_count');
  if (experts !== undefined && experts !== 0) {
    throw metadata.fail('model/unsupported', `a mixture of ${String(experts)} experts was found, a dense model was expected`);
  }
  const hidden = metadata.requiredSize('embedding_length');
  const heads = metadata.requiredSize('attention.head_count');
  const headDim = headSize(metadata, hidden, heads);
  const epsilon = metadata.positive('attention.layer_norm_rms_epsilon');
  if (epsilon === undefined) throw metadata.fail('model/invalid', 'the metadata has no llama.attention.layer_norm_rms_epsilon');
  if (ropeFactors && ropeFactors.length !== headDim / 2) {
    throw metadata.fail('model/invalid', `tensor rope_freqs.weight has ${ropeFactors.length} values, ${headDim / 2} were expected`);
  }
  const vocabulary = file.tensors.get('token_embd.weight')?.shape[0];
  const claimed = metadata.size('vocab_size') ?? vocabulary;
  if (claimed !== vocabulary) {
    throw metadata.fail('model/invalid', `tensor token_embd.weight has ${vocabulary} rows, llama.vocab_size is ${claimed}`);
  }
  const config: Record<string, unknown> = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabulary,
    hidden_size: hidden,
    intermediate_size: metadata.requiredSize('feed_forward_length'),
    num_hidden_layers: metadata.requiredSize('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: metadata.size('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    hidden_act: 'silu',
    max_position_embeddings: metadata.requiredSize('context_length'),
    rms_norm_eps: epsilon,
    rope_theta: metadata.positive('rope.freq_base') ?? 10000,
    rope_scaling: ropeScaling(metadata),
    attention_bias: file.tensors.has('blk.0.attn_q.bias'),
    mlp_bias: file.tensors.has('blk.0.ffn_up.bias'),
    tie_word_embeddings: !file.tensors.has('output.weight'),
    bos_token_id: metadata.tokenId('bos_token_id'),
    eos_token_id: metadata.tokenId('eos_token_id'),
    pad_token_id: metadata.tokenId('padding_token_id'),
  };
  if (ropeFactors) config.loratory_rope_factors = ropeFactors;
  return config;
}
