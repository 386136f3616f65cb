/** The step that both engines are timed on: a small Llama with made-up numbers, its adapter and its rows. Knows no engine. */
import { Random } from '#base/random.ts';
import type { Sequence } from '#data/batch.ts';
import type { Checkpoint, WeightTensor } from '#formats/weights.ts';

/** 4 layers, 256 wide, grouped-query attention, tied embedding; rank 8 on all linears; 4 rows of 64 tokens. */
export const SHAPE = {
  layers: 4,
  hidden: 256,
  heads: 8,
  kvHeads: 4,
  headSize: 32,
  intermediate: 704,
  vocab: 2048,
  rank: 8,
  loraScale: 2,
  rows: 4,
  rowTokens: 64,
  epsilon: 1e-5,
  ropeTheta: 10_000,
  learningRate: 1e-4,
} as const;

export const EMBEDDING = 'model.embed_tokens.weight';

export interface LinearShape {
  /** `model.layers.0.self_attn.q_proj` */
  module: string;
  inputs: number;
  outputs: number;
}

/** The linears of one layer, in the order in which the model runs them. */
export function linearsOf(layer: number): LinearShape[] {
  const { hidden, heads, kvHeads, headSize, intermediate } = SHAPE;
  const at = `model.layers.${layer}`;
  return [
    { module: `${at}.self_attn.q_proj`, inputs: hidden, outputs: heads * headSize },
    { module: `${at}.self_attn.k_proj`, inputs: hidden, outputs: kvHeads * headSize },
    { module: `${at}.self_attn.v_proj`, inputs: hidden, outputs: kvHeads * headSize },
    { module: `${at}.self_attn.o_proj`, inputs: heads * headSize, outputs: hidden },
    { module: `${at}.mlp.gate_proj`, inputs: hidden, outputs: intermediate },
    { module: `${at}.mlp.up_proj`, inputs: hidden, outputs: intermediate },
    { module: `${at}.mlp.down_proj`, inputs: intermediate, outputs: hidden },
  ];
}

export interface NamedValues {
  shape: number[];
  data: Float32Array;
}

/** f32 tensors by name. The adapter's B is not zero, so that every gradient has something to say. */
export interface StepCase {
  weights: Map<string, NamedValues>;
  adapter: Map<string, NamedValues>;
  rows: Sequence[];
}

export function loraNames(module: string): { a: string; b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}

export function makeCase(): StepCase {
  const { layers, hidden, vocab, rank, rows, rowTokens } = SHAPE;
  const random = new Random(20_261_124);
  const normal = (shape: number[], deviation: number): NamedValues => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => deviation * random.normal()),
  });
  const nearOne = (size: number): NamedValues => ({
    shape: [size],
    data: Float32Array.from({ length: size }, () => 1 + 0.1 * random.normal()),
  });
  const weights = new Map<string, NamedValues>([
    [EMBEDDING, normal([vocab, hidden], 0.05)],
    ['model.norm.weight', nearOne(hidden)],
  ]);
  const adapter = new Map<string, NamedValues>();
  for (let layer = 0; layer < layers; layer++) {
    for (const name of ['input_layernorm', 'post_attention_layernorm']) {
      weights.set(`model.layers.${layer}.${name}.weight`, nearOne(hidden));
    }
    for (const { module, inputs, outputs } of linearsOf(layer)) {
      weights.set(`${module}.weight`, normal([outputs, inputs], 1 / Math.sqrt(inputs)));
      const names = loraNames(module);
      adapter.set(names.a, normal([rank, inputs], 0.5 / Math.sqrt(inputs)));
      adapter.set(names.b, normal([outputs, rank], 0.05));
    }
  }
  const sequences = Array.from({ length: rows }, (): Sequence => ({
    tokens: Uint32Array.from({ length: rowTokens }, () => random.below(vocab)),
    lossMask: Uint8Array.from({ length: rowTokens }, (_, i) => (i === 0 ? 0 : 1)),
  }));
  return { weights, adapter, rows: sequences };
}

/** The case as a checkpoint in memory, all f32. */
export function checkpointOf({ weights }: StepCase): Checkpoint {
  const { layers, hidden, heads, kvHeads, headSize, intermediate, vocab, epsilon, ropeTheta, rowTokens } = SHAPE;
  const tensors = new Map([...weights].map(([name, { shape, data }]) => [name, memoryTensor(name, shape, data)]));
  return {
    file: 'the bench',
    config: {
      model_type: 'llama',
      vocab_size: vocab,
      hidden_size: hidden,
      intermediate_size: intermediate,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      head_dim: headSize,
      rms_norm_eps: epsilon,
      rope_theta: ropeTheta,
      max_position_embeddings: rowTokens,
      tie_word_embeddings: true,
      hidden_act: 'silu',
    },
    tensors,
  };
}

function memoryTensor(name: string, shape: number[], data: Float32Array): WeightTensor {
  const rowBytes = data.byteLength / (shape[0] ?? 1);
  return {
    name,
    type: 'f32',
    shape,
    readRows: (start, end) => Promise.resolve(new Uint8Array(data.buffer, data.byteOffset + start * rowBytes, (end - start) * rowBytes)),
  };
}
