/**
 * Llama 2 and 3, and what shares its form: SmolLM2, TinyLlama.
 * @source https://arxiv.org/abs/2302.13971; transformers' modeling_llama.py
 */
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor } from '#engine/graph/tensor.ts';
import { type Architecture, ConfigReader, type Forward, type ModelConfig } from '#engine/models/architecture.ts';
import { add } from '#engine/ops/add/add.ts';
import { embedding } from '#engine/ops/embedding/embedding.ts';
import { siluMul } from '#engine/ops/gated-mlp/gated-mlp.ts';
import { rmsnorm } from '#engine/ops/rmsnorm/rmsnorm.ts';
import { rope, ropeFromConfig } from '#engine/ops/rope/rope.ts';

const EMBEDDING = 'model.embed_tokens.weight';
const LINEARS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

function config(file: string, raw: Record<string, unknown>): ModelConfig {
  const read = new ConfigReader(file, raw);
  read.onlySupported('hidden_act', ['silu']);
  const hiddenSize = read.count('hidden_size');
  const heads = read.count('num_attention_heads');
  const factors = raw['loratory_rope_factors'] as number[] | undefined;
  return {
    type: 'llama',
    vocabSize: read.count('vocab_size'),
    hiddenSize,
    intermediateSize: read.count('intermediate_size'),
    layers: read.count('num_hidden_layers'),
    heads,
    kvHeads: read.count('num_key_value_heads', heads),
    headSize: read.count('head_dim', Math.floor(hiddenSize / heads)),
    normEpsilon: read.number('rms_norm_eps', 1e-6),
    rope: { ...ropeFromConfig(raw), ...(factors ? { factors } : {}) },
    maxPositions: read.count('max_position_embeddings', 2048),
    tiedEmbeddings: read.boolean('tie_word_embeddings', false),
    attentionBias: read.boolean('attention_bias', false),
    mlpBias: read.boolean('mlp_bias', false),
  };
}

function layerMatrices(c: ModelConfig, layer: number) {
  const at = `model.layers.${layer}`;
  const matrix = (name: string, rows: number, columns: number) => ({ name: `${at}.${name}.weight`, rows, columns, isLinear: true });
  return [
    matrix('self_attn.q_proj', c.heads * c.headSize, c.hiddenSize),
    matrix('self_attn.k_proj', c.kvHeads * c.headSize, c.hiddenSize),
    matrix('self_attn.v_proj', c.kvHeads * c.headSize, c.hiddenSize),
    matrix('self_attn.o_proj', c.hiddenSize, c.heads * c.headSize),
    matrix('mlp.gate_proj', c.intermediateSize, c.hiddenSize),
    matrix('mlp.up_proj', c.intermediateSize, c.hiddenSize),
    matrix('mlp.down_proj', c.hiddenSize, c.intermediateSize),
  ];
}

/** The norms, and the biases of linears where the model has them. */
function layerVectors(c: ModelConfig, layer: number) {
  const norms = ['input_layernorm', 'post_attention_layernorm'].map((name) => ({
    name: `model.layers.${layer}.${name}.weight`,
    size: c.hiddenSize,
  }));
  const biases = layerMatrices(c, layer)
    .filter(({ name }) => (name.includes('.self_attn.') ? c.attentionBias : c.mlpBias))
    .map(({ name, rows }) => ({ name: name.replace(/weight$/, 'bias'), size: rows }));
  return [...norms, ...biases];
}

const layersOf = (c: ModelConfig) => Array.from({ length: c.layers }, (_, layer) => layer);

function block(r: Recorder, f: Forward, layer: number, x: Tensor): Tensor {
  const at = `model.layers.${layer}`;
  const attended = add(
    r,
    x,
    r.scope('self_attn', () => selfAttention(r, f, layer, rmsnorm(r, x, f.vector(`${at}.input_layernorm.weight`), f.config.normEpsilon))),
  );
  const normed = rmsnorm(r, attended, f.vector(`${at}.post_attention_layernorm.weight`), f.config.normEpsilon);
  return add(
    r,
    attended,
    r.scope('mlp', () => mlp(r, f, `${at}.mlp`, normed)),
  );
}

function selfAttention(r: Recorder, f: Forward, layer: number, x: Tensor): Tensor {
  const at = `model.layers.${layer}.self_attn`;
  const { headSize } = f.config;
  const q = rope(r, f.linear(r, `${at}.q_proj`, x), f.positions, f.ropeTable, headSize);
  const k = rope(r, f.linear(r, `${at}.k_proj`, x), f.positions, f.ropeTable, headSize);
  const v = f.linear(r, `${at}.v_proj`, x);
  return f.linear(r, `${at}.o_proj`, f.attend(r, layer, q, k, v));
}

function mlp(r: Recorder, f: Forward, at: string, x: Tensor): Tensor {
  const gate = f.linear(r, `${at}.gate_proj`, x);
  const up = f.linear(r, `${at}.up_proj`, x);
  return f.linear(r, `${at}.down_proj`, siluMul(r, gate, up));
}

export const llama: Architecture = {
  types: ['llama'],
  linearNames: LINEARS,
  config,
  matrices: (c) => [
    { name: EMBEDDING, rows: c.vocabSize, columns: c.hiddenSize, isLinear: false },
    ...layersOf(c).flatMap((layer) => layerMatrices(c, layer)),
    ...(c.tiedEmbeddings ? [] : [{ name: 'lm_head.weight', rows: c.vocabSize, columns: c.hiddenSize, isLinear: false }]),
  ],
  vectors: (c) => [...layersOf(c).flatMap((layer) => layerVectors(c, layer)), { name: 'model.norm.weight', size: c.hiddenSize }],
  headName: (c) => (c.tiedEmbeddings ? EMBEDDING : 'lm_head.weight'),
  record: (r, f) => {
    let x = embedding(r, f.tokens, f.matrix(EMBEDDING), f.count);
    for (const layer of layersOf(f.config)) x = r.segment(`model.layers.${layer}`, () => block(r, f, layer, x));
    return rmsnorm(r, x, f.vector('model.norm.weight'), f.config.normEpsilon);
  },
};
