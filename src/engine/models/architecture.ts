/** What an architecture file provides, and what it may use while it records. Knows no files and no device. */
import { AppError } from '#base/errors.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import type { Tensor } from '#engine/graph/tensor.ts';
import type { RopeScaling } from '#engine/ops/rope/rope.ts';
import type { WeightMatrix } from '#engine/ops/weights/weight-matrix.ts';

/** The numbers of a decoder, from config.json. */
export interface ModelConfig {
  /** config.json's `model_type`. */
  readonly type: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly normEpsilon: number;
  readonly rope: { readonly theta: number; readonly scaling: RopeScaling | null; readonly factors?: number[] };
  /** Positions that the model was made for. */
  readonly maxPositions: number;
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

/** A matrix `[rows, columns]` that a checkpoint must hold; `isLinear`: a method may adapt it. */
export interface MatrixSpec {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly isLinear: boolean;
}

export interface VectorSpec {
  readonly name: string;
  readonly size: number;
}

/** What a recording computes with: weights by name, the batch, and how linears and attention are done this time. */
export interface Forward {
  readonly config: ModelConfig;
  /** Tokens of the recording. */
  readonly count: number;
  /** u32 [count] each. */
  readonly tokens: Tensor;
  readonly positions: Tensor;
  readonly ropeTable: Tensor;
  matrix(name: string): WeightMatrix;
  vector(name: string): Tensor;
  /** The linear of a module (`model.layers.0.self_attn.q_proj`), with whatever the method adds to it. */
  linear(r: Recorder, module: string, x: Tensor): Tensor;
  /** Attention of a layer: over the batch in training, over the KV cache in generation. */
  attend(r: Recorder, layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor;
}

export interface Architecture {
  /** config.json's `model_type`s. */
  readonly types: readonly string[];
  /** @throws AppError `model/invalid` naming the field, `model/unsupported` naming the part. */
  config(file: string, raw: Record<string, unknown>): ModelConfig;
  matrices(config: ModelConfig): MatrixSpec[];
  vectors(config: ModelConfig): VectorSpec[];
  /** Names (last part) of the linears that a method may adapt: `all-linear`. */
  readonly linearNames: readonly string[];
  /** Matrix of the output head `[vocab, hidden]`. */
  headName(config: ModelConfig): string;
  /** Records the model up to the last norm: hidden states [count, hidden]. */
  record(r: Recorder, forward: Forward): Tensor;
}

/** Reads fields of a config.json with errors that name file and field. */
export class ConfigReader {
  readonly #file: string;
  readonly #raw: Record<string, unknown>;

  constructor(file: string, raw: Record<string, unknown>) {
    this.#file = file;
    this.#raw = raw;
  }

  get raw(): Record<string, unknown> {
    return this.#raw;
  }

  /** A whole number of at least `least`; `fallback` where the field is missing. */
  count(field: string, fallback?: number, least = 1): number {
    const value = this.#raw[field] ?? fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= 2 ** 31) return value;
    throw this.#invalid(field, value, `a whole number of at least ${least}`);
  }

  number(field: string, fallback?: number): number {
    const value = this.#raw[field] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw this.#invalid(field, value, 'a number');
  }

  boolean(field: string, fallback: boolean): boolean {
    const value = this.#raw[field] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.#invalid(field, value, 'true or false');
  }

  /** @throws AppError `model/unsupported` unless the field is missing or one of `values`. */
  onlySupported(field: string, values: readonly unknown[]): void {
    const value = this.#raw[field];
    if (value === undefined || value === null || values.includes(value)) return;
    throw new AppError(
      'model/unsupported',
      `${this.#file}: ${field} is ${JSON.stringify(value)}; supported: ${values.map((v) => JSON.stringify(v)).join(', ')}`,
      {
        file: this.#file,
        field,
        found: JSON.stringify(value),
        expected: values.map((v) => JSON.stringify(v)).join(', '),
      },
    );
  }

  #invalid(field: string, value: unknown, expected: string): AppError {
    const found = JSON.stringify(value) ?? 'nothing';
    return new AppError('model/invalid', `${this.#file}: ${field} is ${found}, ${expected} was expected`, {
      file: this.#file,
      field,
      found,
      expected,
    });
  }
}
