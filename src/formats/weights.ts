/** One view of a checkpoint, whatever file it is in: Hugging Face's names, row order and values, read by rows. Knows no engine. */
import { AppError, invariant } from '#base/errors.ts';
import { readText, type ByteSource } from '#base/bytes.ts';
import { BLOCKS, blockBytes, dequantize, type WeightType } from '#formats/ggml-blocks.ts';
import { readGguf, type GgufFile, type GgufTensor, type GgufValue } from '#formats/gguf.ts';
import { llamaConfig } from '#formats/gguf-config.ts';
import { GGUF_ARCHITECTURES, interleavedRow, type GgufArchitecture } from '#formats/gguf-names.ts';
import { GGML_WEIGHT_TYPES } from '#formats/gguf-types.ts';
import { parseJsonObject } from '#formats/json-text.ts';
import { findModelFolder } from '#formats/model-folder.ts';
import type { SafetensorsDtype } from '#formats/safetensors.ts';
import { locateTensors } from '#formats/safetensors-shards.ts';

export type { WeightType } from '#formats/ggml-blocks.ts';

/** One tensor of a checkpoint under Hugging Face's name, row order and values, read by rows. */
export interface WeightTensor {
  name: string;
  type: WeightType;
  /** `[rows, columns]`, slowest axis first; a vector's rows are its elements. */
  shape: number[];
  /** Bytes of rows `[start, end)` of the first axis, in the file's own block layout, rows already in Hugging Face's order. */
  readRows(start: number, end: number): Promise<Uint8Array>;
}

export interface Checkpoint {
  /** The name that errors tell the user. */
  file: string;
  /** The same for the settings, where they are in a file of their own. */
  configFile?: string;
  /** config.json's shape; made from the metadata for a GGUF. */
  config: Record<string, unknown>;
  tensors: Map<string, WeightTensor>;
}

/** config.json has a few kilobytes; one with a long label table has megabytes. */
const MAX_CONFIG_BYTES = 16_777_216;
/** rope_freqs has one value a pair of a head's dimensions. */
const MAX_ROPE_FACTORS = 4096;

/** Length of the first axis; a scalar is one row. */
export function rowCount(shape: readonly number[]): number {
  return shape[0] ?? 1;
}

/** Bytes of one row of the first axis. */
export function rowBytes(type: WeightType, shape: readonly number[]): number {
  return blockBytes(
    type,
    shape.slice(1).reduce((product, length) => product * length, 1),
  );
}

function checkRows(name: string, shape: readonly number[], start: number, end: number): void {
  invariant(start >= 0 && start <= end && end <= rowCount(shape), `${name}: rows ${start} to ${end} of ${rowCount(shape)} were asked for`);
}

/** A tensor whose rows lie one after another from byte `at` of the source. */
function contiguousTensor(name: string, type: WeightType, shape: number[], source: ByteSource, at: number): WeightTensor {
  const bytes = rowBytes(type, shape);
  return {
    name,
    type,
    shape,
    async readRows(start, end) {
      checkRows(name, shape, start, end);
      return source.read(at + start * bytes, at + end * bytes);
    },
  };
}

/** A query or key projection of a GGUF: the file's rows of each head are interleaved, so one read spans all that a range touches. */
function interleavedTensor(plain: WeightTensor, headRows: number): WeightTensor {
  const { name, type, shape } = plain;
  const bytes = rowBytes(type, shape);
  return {
    name,
    type,
    shape,
    async readRows(start, end) {
      checkRows(name, shape, start, end);
      const fileRows = Array.from({ length: end - start }, (_, i) => interleavedRow(start + i, headRows));
      if (fileRows.length === 0) return new Uint8Array(0);
      const first = fileRows.reduce((least, row) => Math.min(least, row), Infinity);
      const last = fileRows.reduce((most, row) => Math.max(most, row), 0);
      const span = await plain.readRows(first, last + 1);
      const out = new Uint8Array(fileRows.length * bytes);
      fileRows.forEach((row, i) => out.set(span.subarray((row - first) * bytes, (row - first + 1) * bytes), i * bytes));
      return out;
    },
  };
}

/** The f32 values of rows `[start, end)`: for small tensors, references and exports; the engine keeps quantised rows as they are. */
export async function readFloat32(tensor: WeightTensor, start = 0, end = rowCount(tensor.shape)): Promise<Float32Array> {
  return dequantize(tensor.type, await tensor.readRows(start, end));
}

const SAFETENSORS_WEIGHT_TYPES: ReadonlyMap<SafetensorsDtype, WeightType> = new Map([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
]);

/** Integer and boolean tensors that are no weights: masks and position tables that old checkpoints carry along. */
function isBuffer(name: string, dtype: SafetensorsDtype): boolean {
  return !name.endsWith('.weight') && /^(BOOL|[IU]\d+)$/.test(dtype);
}

/**
 * A folder with config.json and model.safetensors, or the shards that model.safetensors.index.json names.
 * Keys are paths inside what was dropped or given; a folder around the model is tolerated.
 * @throws AppError `model/missing-file`, `model/invalid`, `model/unsupported`, `format/*`, naming file and tensor.
 */
export async function openHuggingFaceFolder(files: Map<string, ByteSource>): Promise<Checkpoint> {
  const folder = findModelFolder(files);
  const configFile = folder.require('config.json');
  const config = parseJsonObject(configFile.name, await readText(configFile, MAX_CONFIG_BYTES), 'model/invalid');
  if (config.quantization_config) {
    const found = JSON.stringify(config.quantization_config).slice(0, 200);
    throw new AppError('model/unsupported', `${configFile.name}: quantization_config ${found} was found, plain weights were expected`, {
      file: configFile.name,
      found,
    });
  }
  const { file, tensors: located } = await locateTensors(folder);
  const tensors = new Map<string, WeightTensor>();
  for (const [name, { source, tensor }] of located) {
    const type = SAFETENSORS_WEIGHT_TYPES.get(tensor.dtype);
    if (type) {
      tensors.set(name, contiguousTensor(name, type, tensor.shape, source, tensor.start));
    } else if (!isBuffer(name, tensor.dtype)) {
      throw new AppError('format/unsupported', `${source.name}: tensor ${name} is ${tensor.dtype}, F32, F16 or BF16 was expected`, {
        file: source.name,
        tensor: name,
        found: tensor.dtype,
      });
    }
  }
  return { file, configFile: configFile.name, config, tensors };
}

function ggufWeightType(file: GgufFile, tensor: GgufTensor): WeightType {
  const type = GGML_WEIGHT_TYPES.get(tensor.type.name);
  const expected = [...GGML_WEIGHT_TYPES.keys()].join(', ');
  const details = { file: file.source.name, tensor: tensor.name, found: tensor.type.name };
  if (!type) {
    const message = `${file.source.name}: tensor ${tensor.name} is ${tensor.type.name}, one of ${expected} was expected`;
    throw new AppError('format/unsupported', message, details);
  }
  if (tensor.shape.length < 2 && BLOCKS[type].elements > 1) {
    const message = `${file.source.name}: tensor ${tensor.name} is a vector of ${tensor.type.name}, F32, F16 or BF16 was expected`;
    throw new AppError('format/unsupported', message, details);
  }
  return type;
}

async function ropeFactors(file: GgufFile): Promise<number[] | null> {
  const tensor = file.tensors.get('rope_freqs.weight');
  if (!tensor) return null;
  if (tensor.type.name !== 'F32' || tensor.shape.length !== 1 || tensor.shape[0] > MAX_ROPE_FACTORS) {
    const found = `${tensor.type.name} [${tensor.shape}]`;
    throw new AppError('model/invalid', `${file.source.name}: tensor rope_freqs.weight is ${found}, a short F32 vector was expected`, {
      file: file.source.name,
      tensor: tensor.name,
      found,
    });
  }
  return [...dequantize('f32', await file.source.read(tensor.start, tensor.end))];
}

function ggufArchitecture(file: GgufFile): GgufArchitecture {
  const { name } = file.source;
  const value = file.metadata.get('general.architecture');
  const architecture = typeof value === 'string' ? GGUF_ARCHITECTURES.get(value) : undefined;
  if (architecture) return architecture;
  const found = typeof value === 'string' ? `the architecture ${value.slice(0, 100)}` : 'no general.architecture';
  const expected = [...GGUF_ARCHITECTURES.keys()].join(', ');
  throw new AppError('model/unsupported', `${name}: ${found} was found, one of ${expected} was expected`, { file: name, found, expected });
}

/** The first tensor that a file of so many blocks must have and has not, is an error that names it as the file would. */
function checkComplete(file: GgufFile, architecture: GgufArchitecture, blocks: number): void {
  const missing = (name: string) => {
    if (file.tensors.has(name)) return;
    throw new AppError('model/invalid', `${file.source.name}: tensor ${name} was expected, the file does not have it`, {
      file: file.source.name,
      tensor: name,
    });
  };
  for (const name of architecture.required) {
    if (!name.includes('{}')) missing(name);
    else for (let block = 0; block < blocks; block++) missing(name.replace('{}', String(block)));
  }
}

/** The tensor under its Hugging Face name, its rows in Hugging Face's order. */
function ggufWeight(file: GgufFile, architecture: GgufArchitecture, tensor: GgufTensor, config: Record<string, unknown>): WeightTensor {
  const details = { file: file.source.name, tensor: tensor.name };
  const target = architecture.tensorName(tensor.name);
  if (!target) {
    const message = `${file.source.name}: tensor ${tensor.name} was found, which no ${architecture.modelType} model has`;
    throw new AppError('model/unsupported', message, details);
  }
  const plain = contiguousTensor(target.name, ggufWeightType(file, tensor), tensor.shape, file.source, tensor.start);
  if (target.rows === 'plain') return plain;
  const heads = Number(target.rows === 'query' ? config.num_attention_heads : config.num_key_value_heads);
  const headRows = Number(config.head_dim);
  if (rowCount(tensor.shape) !== heads * headRows) {
    const message = `${file.source.name}: tensor ${tensor.name} is [${tensor.shape}], ${heads} heads of ${headRows} rows were expected`;
    throw new AppError('model/invalid', message, details);
  }
  return interleavedTensor(plain, headRows);
}

/**
 * A GGUF file as the checkpoint it was converted from, with its metadata (the tokenizer is in there).
 * @throws AppError `model/unsupported` for an unknown architecture, `format/unsupported` for a tensor type that is not opened.
 */
export async function openGguf(source: ByteSource): Promise<Checkpoint & { metadata: Map<string, GgufValue> }> {
  const file = await readGguf(source);
  const parts = file.metadata.get('split.count');
  if (typeof parts === 'number' && parts > 1) {
    const message = `${source.name}: one of ${parts} parts was found, a GGUF in one file was expected: llama-gguf-split --merge makes it`;
    throw new AppError('model/unsupported', message, { file: source.name, found: parts, expected: 1 });
  }
  const architecture = ggufArchitecture(file);
  checkComplete(file, architecture, 0);
  const config = llamaConfig(file, await ropeFactors(file));
  checkComplete(file, architecture, Number(config.num_hidden_layers));
  const tensors = new Map<string, WeightTensor>();
  for (const tensor of file.tensors.values()) {
    if (architecture.configTensors.includes(tensor.name)) continue;
    const weight = ggufWeight(file, architecture, tensor, config);
    tensors.set(weight.name, weight);
  }
  return { file: source.name, config, tensors, metadata: file.metadata };
}
