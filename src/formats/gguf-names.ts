/** GGUF's tensor names to Hugging Face's, by architecture, with the row order that llama.cpp's converter gave them. Knows no file. */

/** 'query' and 'key' rows were interleaved by the converter; the count of heads says how. */
export type RowOrder = 'plain' | 'query' | 'key';

export interface GgufName {
  name: string;
  rows: RowOrder;
}

export interface GgufArchitecture {
  /** Hugging Face's `model_type`. */
  modelType: string;
  /** Tensors that become part of the config and not weights. */
  configTensors: readonly string[];
  /** Tensors that every file of this architecture has, `{}` standing for each block's number. */
  required: readonly string[];
  /** The name in Hugging Face, or null when the architecture has no such tensor. */
  tensorName(name: string): GgufName | null;
}

const LLAMA_TENSORS: ReadonlyMap<string, string> = new Map([
  ['token_embd.weight', 'model.embed_tokens.weight'],
  ['output_norm.weight', 'model.norm.weight'],
  ['output.weight', 'lm_head.weight'],
]);

const LLAMA_BLOCK_MODULES: ReadonlyMap<string, { name: string; rows: RowOrder }> = new Map([
  ['attn_norm', { name: 'input_layernorm', rows: 'plain' }],
  ['attn_q', { name: 'self_attn.q_proj', rows: 'query' }],
  ['attn_k', { name: 'self_attn.k_proj', rows: 'key' }],
  ['attn_v', { name: 'self_attn.v_proj', rows: 'plain' }],
  ['attn_output', { name: 'self_attn.o_proj', rows: 'plain' }],
  ['ffn_norm', { name: 'post_attention_layernorm', rows: 'plain' }],
  ['ffn_gate', { name: 'mlp.gate_proj', rows: 'plain' }],
  ['ffn_up', { name: 'mlp.up_proj', rows: 'plain' }],
  ['ffn_down', { name: 'mlp.down_proj', rows: 'plain' }],
]);

const llama: GgufArchitecture = {
  modelType: 'llama',
  configTensors: ['rope_freqs.weight'],
  required: ['token_embd.weight', 'output_norm.weight', ...[...LLAMA_BLOCK_MODULES.keys()].map((module) => `blk.{}.${module}.weight`)],
  tensorName(name) {
    const whole = LLAMA_TENSORS.get(name);
    if (whole !== undefined) return { name: whole, rows: 'plain' };
    const [, block, module, kind] = /^blk\.(0|[1-9]\d{0,4})\.([a-z_]+)\.(weight|bias)$/.exec(name) ?? [];
    const target = module === undefined ? undefined : LLAMA_BLOCK_MODULES.get(module);
    if (!target || (kind === 'bias' && target.name.endsWith('layernorm'))) return null;
    return { name: `model.layers.${block}.${target.name}.${kind}`, rows: target.rows };
  },
};

/** By `general.architecture`. Mistral files call themselves llama as well. */
export const GGUF_ARCHITECTURES: ReadonlyMap<string, GgufArchitecture> = new Map([['llama', llama]]);

/**
 * The row of the file that holds Hugging Face's row `row`: the inverse of the converter's interleaving of each head's two halves,
 * which it does because llama.cpp rotates neighbouring pairs where Hugging Face rotates halves.
 * The file's row 2j + i of a head is Hugging Face's row i * headRows / 2 + j.
 * @source `LlamaModel.permute` of llama.cpp's convert_hf_to_gguf.py: reshape(heads, 2, headRows / 2, columns).swapaxes(1, 2)
 */
export function interleavedRow(row: number, headRows: number): number {
  const inHead = row % headRows;
  const half = headRows / 2;
  return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
}
