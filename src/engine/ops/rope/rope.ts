/** Rotary position embedding: a model's config to angles on the CPU, and the op that turns queries and keys. Knows no attention. */
import { AppError, invariant } from '#base/errors.ts';
import { ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import source from '#engine/ops/rope/rope.wgsl?raw';

/** How frequencies are stretched to a longer context, with Hugging Face's names. */
export type RopeScaling =
  | { type: 'linear'; factor: number }
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxPositionEmbeddings: number };

export interface RopeConfig {
  theta: number;
  headSize: number;
  scaling: RopeScaling | null;
  /** One divisor a frequency: a GGUF's rope_freqs, which holds Llama 3's scaling already worked out. */
  factors?: number[];
}

/** Llama's, when config.json names none. */
const DEFAULT_THETA = 10000;

const f32 = Math.fround;

/** Llama 3's stretch: long waves by the factor, short ones not at all, those between by interpolation. Each step rounds to f32. */
function llama3(frequency: number, scaling: RopeScaling & { type: 'llama3' }): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: context } = scaling;
  // PyTorch divides a number by a tensor as the number times the tensor's reciprocal.
  const wavelength = f32(f32(1 / frequency) * f32(2 * Math.PI));
  if (wavelength > context / lowFreqFactor) return f32(frequency / factor);
  if (wavelength < context / highFreqFactor) return frequency;
  const smooth = f32(f32(f32(f32(1 / wavelength) * context) - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
  return f32(f32(f32(f32(1 - smooth) * frequency) / factor) + f32(smooth * frequency));
}

/**
 * Radians a position for each pair of a head, f32 [headSize / 2]: theta^(-2j / headSize), scaled.
 * @source transformers' modeling_rope_utils.py; llama.cpp divides by rope_freqs
 */
export function inverseFrequencies({ theta, headSize, scaling, factors }: RopeConfig): Float32Array {
  const pairs = headSize / 2;
  invariant(Number.isInteger(pairs), `rope: heads of ${headSize} have no whole pairs`);
  invariant(!factors || factors.length === pairs, `rope: ${factors?.length} factors for ${pairs} pairs`);
  return Float32Array.from({ length: pairs }, (_, j) => {
    const frequency = f32(1 / f32(theta ** f32((2 * j) / headSize)));
    if (factors) return f32(frequency / factors[j]);
    if (!scaling) return frequency;
    return scaling.type === 'linear' ? f32(frequency / scaling.factor) : llama3(frequency, scaling);
  });
}

/** Cosine and sine of every angle, f32 [positions, headSize / 2, 2]; an angle is the f32 product of position and frequency. */
export function ropeTable(config: RopeConfig, positions: number): Float32Array {
  const frequencies = inverseFrequencies(config);
  const table = new Float32Array(positions * config.headSize);
  let at = 0;
  for (let position = 0; position < positions; position++) {
    for (const frequency of frequencies) {
      const angle = f32(position * frequency);
      table[at++] = Math.cos(angle);
      table[at++] = Math.sin(angle);
    }
  }
  return table;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function positive(values: Record<string, unknown>, name: string, fallback?: unknown): number {
  const value = values[name] ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new AppError(
    'model/invalid',
    `config: ${name} of the rotary embedding is ${JSON.stringify(value)}, a number above 0 was expected`,
    {
      found: JSON.stringify(value),
    },
  );
}

/**
 * The rotary embedding of a config.json: `rope_parameters` as transformers 5 writes it, or `rope_theta` with `rope_scaling`.
 * @throws AppError `model/unsupported` for a type other than default, linear and llama3 and for partial rotation,
 * `model/invalid` for a missing or impossible number.
 */
export function ropeFromConfig(config: Record<string, unknown>): { theta: number; scaling: RopeScaling | null } {
  // As transformers: a rope_scaling that says something wins over rope_parameters.
  const found = [config.rope_scaling, config.rope_parameters].find((value) => value !== null && value !== undefined) ?? {};
  if (!isRecord(found)) {
    throw new AppError('model/invalid', `config: rope_parameters is ${JSON.stringify(found)}, an object was expected`, {});
  }
  const theta = positive(found, 'rope_theta', config.rope_theta ?? DEFAULT_THETA);
  const partial = found.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  if (partial !== 1) {
    throw new AppError('model/unsupported', `config: partial_rotary_factor is ${JSON.stringify(partial)}, 1 was expected`, {
      found: JSON.stringify(partial),
    });
  }
  const type = found.rope_type ?? found.type ?? 'default';
  if (type === 'default') return { theta, scaling: null };
  if (type === 'linear') return { theta, scaling: { type, factor: positive(found, 'factor') } };
  if (type !== 'llama3') {
    throw new AppError('model/unsupported', `config: rope_type is ${JSON.stringify(type)}, default, linear or llama3 was expected`, {
      found: JSON.stringify(type),
    });
  }
  const scaling: RopeScaling = {
    type,
    factor: positive(found, 'factor'),
    lowFreqFactor: positive(found, 'low_freq_factor'),
    highFreqFactor: positive(found, 'high_freq_factor'),
    originalMaxPositionEmbeddings: positive(found, 'original_max_position_embeddings', config.max_position_embeddings),
  };
  if (scaling.highFreqFactor <= scaling.lowFreqFactor) {
    const message = `config: high_freq_factor is ${scaling.highFreqFactor}, more than low_freq_factor ${scaling.lowFreqFactor} was expected`;
    throw new AppError('model/invalid', message, { found: scaling.highFreqFactor });
  }
  return { theta, scaling };
}

const kernel = defineKernel({
  name: 'rope',
  source,
  writes: ['out'],
  grid: ({ rows = 0, heads = 0, quarter = 0 }) => linearGrid(ceilDivide(rows * heads * quarter, 64)),
});

/**
 * Turns each pair (j, j + headSize / 2) of each head by its token's angle, as Hugging Face's rotate_half does.
 * x, out [tokens, heads * headSize] f32; positions u32 [at least tokens], each a row of the table;
 * table [positions, headSize / 2, 2] f32 from `ropeTable`. The gradient is turned by the negative angle.
 * @throws AppError `internal` when the shapes do not fit or headSize is not a multiple of 4.
 * @source https://arxiv.org/abs/2104.09864; transformers' apply_rotary_pos_emb
 */
export function rope(r: Recorder, x: Tensor, positions: Tensor, table: Tensor, headSize: number): Tensor {
  const [tokens = 0, width = 0] = x.shape;
  invariant(headSize % 4 === 0 && width % headSize === 0, `rope: x ${shapeText(x.shape)} does not hold heads of ${headSize}`);
  invariant(positions.sizeBytes >= tokens * 4, `rope: ${tokens} tokens with positions ${shapeText(positions.shape)}`);
  invariant(table.shape[1] === headSize / 2 && table.shape[2] === 2, `rope: table ${shapeText(table.shape)} for heads of ${headSize}`);
  const turn = (from: Tensor, to: Tensor, direction: 1 | -1) => {
    for (const [start, end] of r.rowBlocks(tokens, width * 4)) {
      r.run(
        kernel,
        { x: rowsOf(from, start, end), positions, table, out: rowsOf(to, start, end) },
        { rows: end - start, heads: width / headSize, quarter: headSize / 4, rowStart: start, direction },
      );
    }
  };
  const out = r.tensor('rope', x.shape);
  turn(x, out, 1);
  r.differentiable([out], [x], () => {
    const gradient = r.gradientOf(out);
    invariant(gradient, `rope: no gradient of ${out.name} arrived`);
    const dx = r.tensor('x.gradient', x.shape);
    turn(gradient, dx, -1);
    r.contribute(x, { tensor: dx, owned: true });
  });
  return out;
}
