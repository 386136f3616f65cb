/** LoRA: which linears it adapts, where its parameters lie, how they start. Names and meaning are PEFT's. Knows no device. */
import { AppError, invariant } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { type Region, type Tensor, parameterTensor, region, regionTensor } from '#engine/graph/tensor.ts';
import type { Model } from '#engine/models/model.ts';
import type { LoraPair } from '#engine/ops/linear/linear.ts';

/** PEFT's LoraConfig, as far as it is supported. */
export interface LoraOptions {
  r: number;
  loraAlpha: number;
  loraDropout: number;
  /** Last parts of module names (`q_proj`), or `all-linear`. */
  targetModules: readonly string[] | 'all-linear';
}

export interface LoraModule {
  /** `model.layers.0.self_attn.q_proj` */
  readonly module: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Bytes from the start of the adapter's buffer: of A [rank, in] and of B [out, rank]. */
  readonly offsetA: number;
  readonly offsetB: number;
}

/** Where every LoRA parameter lies in one contiguous buffer; the rank is padded to whole vectors of four with zeros. */
export interface LoraLayout {
  readonly options: LoraOptions;
  readonly rank: number;
  readonly scale: number;
  readonly modules: readonly LoraModule[];
  readonly sizeBytes: number;
  /** Trainable numbers, the padding not counted. */
  readonly parameterCount: number;
}

const ALIGNMENT = 256;
const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** @throws AppError `recipe/invalid` naming the field, what was found and what was expected. */
export function layoutLora(model: Model, options: LoraOptions): LoraLayout {
  const { r, loraAlpha, loraDropout, targetModules } = options;
  const refuse = (field: string, found: unknown, expected: string) =>
    new AppError('recipe/invalid', `${field} is ${String(found)}, ${expected} was expected`, { field, found: String(found), expected });
  if (!Number.isSafeInteger(r) || r < 1 || r > 1024) throw refuse('r', r, 'a whole number from 1 to 1024');
  if (!(loraAlpha > 0)) throw refuse('lora_alpha', loraAlpha, 'a number above 0');
  if (!(loraDropout >= 0 && loraDropout < 1)) throw refuse('lora_dropout', loraDropout, 'a number from 0 to below 1');
  const names = targetModules === 'all-linear' ? model.architecture.linearNames : targetModules;
  const known = model.architecture.linearNames;
  for (const name of names) {
    if (!known.includes(name)) throw refuse('target_modules', name, known.join(', '));
  }
  if (names.length === 0) throw refuse('target_modules', 'empty', `some of ${known.join(', ')}`);
  const rank = Math.ceil(r / 4) * 4;
  let offset = 0;
  let parameterCount = 0;
  const modules = model.architecture
    .matrices(model.config)
    .filter(({ name, isLinear }) => isLinear && names.includes(lastPart(moduleOf(name))))
    .map(({ name, rows, columns }): LoraModule => {
      const offsetA = offset;
      const offsetB = align(offsetA + rank * columns * 4);
      offset = align(offsetB + rows * rank * 4);
      parameterCount += r * (rows + columns);
      return { module: moduleOf(name), inputs: columns, outputs: rows, offsetA, offsetB };
    });
  return { options, rank, scale: loraAlpha / r, modules, sizeBytes: offset, parameterCount };
}

function moduleOf(weight: string): string {
  return weight.replace(/\.weight$/, '');
}

function lastPart(module: string): string {
  return module.slice(module.lastIndexOf('.') + 1);
}

/** PEFT's names of a module's two tensors. */
export function peftNames(module: string): { a: string; b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}

/** The layout's numbers for one buffer: A uniform in +-1 / sqrt(in) (PEFT's kaiming_uniform with a = sqrt 5), B zero. */
export function initialLora(layout: LoraLayout, seed: number): Float32Array {
  const values = new Float32Array(layout.sizeBytes / 4);
  const random = new Random(seed);
  for (const { inputs, offsetA } of layout.modules) {
    const bound = 1 / Math.sqrt(inputs);
    for (let i = 0; i < layout.options.r * inputs; i++) values[offsetA / 4 + i] = (2 * random.uniform() - 1) * bound;
  }
  return values;
}

export interface NamedTensor {
  name: string;
  shape: [rows: number, columns: number];
  data: Float32Array;
}

/** The buffer's numbers as PEFT saves them, padding removed. */
export function toPeftTensors(layout: LoraLayout, values: Float32Array): NamedTensor[] {
  const { r } = layout.options;
  return layout.modules.flatMap(({ module, inputs, outputs, offsetA, offsetB }) => {
    const names = peftNames(module);
    const b = new Float32Array(outputs * r);
    for (let row = 0; row < outputs; row++) {
      const from = offsetB / 4 + row * layout.rank;
      b.set(values.subarray(from, from + r), row * r);
    }
    return [
      { name: names.a, shape: [r, inputs] as [number, number], data: values.slice(offsetA / 4, offsetA / 4 + r * inputs) },
      { name: names.b, shape: [outputs, r] as [number, number], data: b },
    ];
  });
}

/** The opposite. @throws AppError `model/invalid` naming a tensor that is missing or of another shape. */
export function fromPeftTensors(
  layout: LoraLayout,
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
): Float32Array {
  const { r } = layout.options;
  const values = new Float32Array(layout.sizeBytes / 4);
  const find = (name: string, rows: number, columns: number) => {
    const tensor = tensors.get(name);
    const found = tensor ? `[${tensor.shape.join(', ')}]` : 'missing';
    if (!tensor || tensor.shape[0] !== rows || tensor.shape[1] !== columns || tensor.shape.length !== 2) {
      throw new AppError('model/invalid', `adapter tensor ${name} is ${found}, [${rows}, ${columns}] was expected`, {
        tensor: name,
        found,
        expected: `[${rows}, ${columns}]`,
      });
    }
    return tensor.data;
  };
  for (const { module, inputs, outputs, offsetA, offsetB } of layout.modules) {
    const names = peftNames(module);
    values.set(find(names.a, r, inputs), offsetA / 4);
    const b = find(names.b, outputs, r);
    for (let row = 0; row < outputs; row++) values.set(b.subarray(row * r, (row + 1) * r), offsetB / 4 + row * layout.rank);
  }
  return values;
}

/** The regions of a trainable adapter: one contiguous buffer each. */
export interface LoraRegions {
  values: Region;
  gradients: Region;
  first: Region;
  second: Region;
}

export function loraRegions(layout: LoraLayout): LoraRegions {
  return {
    values: region('adapter', 'adapter', layout.sizeBytes),
    gradients: region('adapter gradients', 'gradients', layout.sizeBytes),
    first: region('AdamW first moment', 'optimizer', layout.sizeBytes),
    second: region('AdamW second moment', 'optimizer', layout.sizeBytes),
  };
}

/** The LoRA pairs of a recording, by module. Without gradients (generation) they are plain tensors of `values`. */
export function loraPairs(layout: LoraLayout, values: Region, gradients: Region | null, header: Tensor): Map<string, LoraPair> {
  const tensor = (name: string, shape: [number, number], offset: number) =>
    gradients ? parameterTensor(name, shape, values, gradients, offset) : regionTensor(name, shape, values, offset);
  const rate = gradients ? layout.options.loraDropout : 0;
  return new Map(
    layout.modules.map(({ module, inputs, outputs, offsetA, offsetB }, salt) => {
      const names = peftNames(module);
      const pair: LoraPair = {
        a: tensor(names.a, [layout.rank, inputs], offsetA),
        b: tensor(names.b, [outputs, layout.rank], offsetB),
        scale: layout.scale,
        dropout: rate > 0 ? { rate, salt } : null,
        header,
      };
      return [module, pair];
    }),
  );
}

/** Every number of a contiguous adapter buffer as one tensor, for the optimizer. */
export function flatTensor(place: Region): Tensor {
  invariant(place.sizeBytes % 16 === 0, `${place.name}: not whole vectors of four`);
  return regionTensor(place.name, [place.sizeBytes / 16, 4], place);
}
