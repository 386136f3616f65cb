/** A LoRA adapter as PEFT's two files, written and read. Knows PEFT's layout, nothing of the engine. */
import { AppError, invariant } from '#base/errors.ts';
import type { ByteSource } from '#base/bytes.ts';
import { parsePeftConfig, peftConfigText, type PeftConfig } from '#export/peft-config.ts';
import { dequantize, type WeightType } from '#formats/ggml-blocks.ts';
import { readSafetensors, writeSafetensors, type SafetensorsDtype, type SafetensorsTensor } from '#formats/safetensors.ts';

/** One adapted linear: y += scale * B A x. */
export interface PeftModule {
  /** `model.layers.0.self_attn.q_proj` */
  module: string;
  r: number;
  inFeatures: number;
  outFeatures: number;
  /** `[r, in]`, row-major. */
  a: Float32Array;
  /** `[out, r]`, row-major. */
  b: Float32Array;
}

export interface PeftAdapter {
  config: PeftConfig;
  modules: PeftModule[];
}

export interface PeftFiles {
  'adapter_config.json': string;
  'adapter_model.safetensors': Uint8Array;
}

const PREFIX = 'base_model.model.';
/** An adapter becomes f32 in memory; rank 256 on every linear of a 14B model is about 4 GB and no one's in a tab. */
const MAX_ADAPTER_BYTES = 2_147_483_648;
const DTYPES: ReadonlyMap<SafetensorsDtype, WeightType> = new Map([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
]);

/** Rank and alpha of a module: those of the first pattern whose end it has, else the adapter's. @source peft.utils.other.get_pattern_key */
function settingsOf(config: PeftConfig, module: string): { r: number; alpha: number } {
  const pick = (patterns: Record<string, number>, otherwise: number) =>
    Object.entries(patterns).find(([pattern]) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(module))?.[1] ?? otherwise;
  return { r: pick(config.rankPattern, config.r), alpha: pick(config.alphaPattern, config.loraAlpha) };
}

/** What B A is multiplied with: alpha / r, or alpha / sqrt(r) with rsLoRA. */
export function loraScale(config: PeftConfig, module: string): number {
  const { r, alpha } = settingsOf(config, module);
  return config.useRslora ? alpha / Math.sqrt(r) : alpha / r;
}

/** The two files that PEFT 0.21's `save_pretrained` writes for the same adapter, byte for byte, tensors in f32. */
export function peftAdapter({ config, modules }: PeftAdapter): PeftFiles {
  const tensors = modules.flatMap(({ module, r, inFeatures, outFeatures, a, b }) => {
    const expected = settingsOf(config, module).r;
    invariant(r === expected, `${module}: rank ${r} was given, the config says ${expected}`);
    invariant(a.length === r * inFeatures && b.length === outFeatures * r, `${module}: A has ${a.length} numbers, B ${b.length}`);
    const tensor = (matrix: 'A' | 'B', shape: number[], values: Float32Array) => ({
      name: `${PREFIX}${module}.lora_${matrix}.weight`,
      dtype: 'F32' as const,
      shape,
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    });
    return [tensor('A', [r, inFeatures], a), tensor('B', [outFeatures, r], b)];
  });
  return {
    'adapter_config.json': peftConfigText(config),
    'adapter_model.safetensors': writeSafetensors(tensors, { format: 'pt' }),
  };
}

interface Pair {
  A?: SafetensorsTensor;
  B?: SafetensorsTensor;
}

/** A and B of each module, all of them of a form that is known. */
function pairTensors(source: ByteSource, tensors: Iterable<SafetensorsTensor>): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const tensor of tensors) {
    const [, module, matrix] = /^base_model\.model\.(.+)\.lora_(A|B)\.weight$/.exec(tensor.name) ?? [];
    const details = { file: source.name, tensor: tensor.name };
    if (module === undefined) {
      const expected = `${PREFIX}<module>.lora_A.weight or lora_B.weight`;
      throw new AppError('format/unsupported', `${source.name}: tensor ${tensor.name} was found, ${expected} was expected`, details);
    }
    if (!DTYPES.has(tensor.dtype)) {
      const message = `${source.name}: tensor ${tensor.name} is ${tensor.dtype}, F32, F16 or BF16 was expected`;
      throw new AppError('format/unsupported', message, { ...details, found: tensor.dtype });
    }
    const pair = pairs.get(module) ?? {};
    pair[matrix as 'A' | 'B'] = tensor;
    pairs.set(module, pair);
  }
  return pairs;
}

function checkShape(source: ByteSource, tensor: SafetensorsTensor, rows: number | null, columns: number | null): void {
  const [foundRows, foundColumns, ...rest] = tensor.shape;
  const fits = rest.length === 0 && foundRows > 0 && foundColumns > 0;
  if (fits && (rows ?? foundRows) === foundRows && (columns ?? foundColumns) === foundColumns) return;
  const [found, expected] = [`[${tensor.shape.join(', ')}]`, `[${rows ?? 'any'}, ${columns ?? 'any'}]`];
  throw new AppError('format/invalid', `${source.name}: tensor ${tensor.name} is ${found}, ${expected} was expected`, {
    file: source.name,
    tensor: tensor.name,
    found,
    expected,
  });
}

function isTarget(config: PeftConfig, module: string): boolean {
  const { targetModules } = config;
  if (targetModules === 'all-linear') return true;
  if (typeof targetModules === 'string') return new RegExp(`^(?:${targetModules})$`).test(module);
  return targetModules.some((name) => module === name || module.endsWith(`.${name}`));
}

/** Every target has its tensors: each module of the base that is one, or, where no base is given, at least one module a name. */
function checkTargets(source: ByteSource, config: PeftConfig, pairs: ReadonlyMap<string, Pair>, base: LinearShapes | undefined): void {
  const missing = (what: string) =>
    new AppError('format/invalid', `${source.name}: tensors of ${what} were expected, the file has none`, {
      file: source.name,
      expected: what,
    });
  if (base) {
    for (const module of pairs.keys()) {
      if (base.has(module)) continue;
      throw new AppError('format/invalid', `${source.name}: tensors of ${module} were found, the base model has no such linear`, {
        file: source.name,
        found: module,
      });
    }
    for (const module of base.keys()) if (isTarget(config, module) && !pairs.has(module)) throw missing(module);
  } else if (typeof config.targetModules !== 'string') {
    for (const name of config.targetModules) {
      if (![...pairs.keys()].some((module) => module === name || module.endsWith(`.${name}`))) throw missing(name);
    }
  }
  if (pairs.size === 0) throw missing('at least one module');
}

/** `[out, in]` of each linear of the base model that can be adapted, by module name. */
export type LinearShapes = ReadonlyMap<string, readonly [number, number]>;

/**
 * The adapter of PEFT's two files, its numbers as f32.
 * With `base` every tensor is held against the base model's linears, and every targeted linear must be there.
 * @throws AppError `format/unsupported` for a setting that changes what the tensors mean, `format/invalid` for wrong shapes and missing tensors.
 */
export async function readPeftAdapter(configText: string, source: ByteSource, base?: LinearShapes): Promise<PeftAdapter> {
  const config = parsePeftConfig(configText);
  if (source.sizeBytes > MAX_ADAPTER_BYTES) {
    throw new AppError(
      'format/invalid',
      `${source.name}: ${source.sizeBytes} bytes were found, at most ${MAX_ADAPTER_BYTES} were expected`,
      {
        file: source.name,
        found: source.sizeBytes,
        expected: MAX_ADAPTER_BYTES,
      },
    );
  }
  const { tensors } = await readSafetensors(source);
  const pairs = pairTensors(source, tensors.values());
  checkTargets(source, config, pairs, base);
  const checked = [...pairs].map(([module, { A, B }]) => {
    if (!A || !B) {
      const tensor = `${PREFIX}${module}.lora_${A ? 'B' : 'A'}.weight`;
      throw new AppError('format/invalid', `${source.name}: tensor ${tensor} was expected, the file does not have it`, {
        file: source.name,
        tensor,
      });
    }
    const [outFeatures, inFeatures] = base?.get(module) ?? [null, null];
    const { r } = settingsOf(config, module);
    checkShape(source, A, r, inFeatures);
    checkShape(source, B, outFeatures, r);
    return { module, r, A, B };
  });
  const values = async ({ dtype, start, end }: SafetensorsTensor) =>
    dequantize(DTYPES.get(dtype) as WeightType, await source.read(start, end));
  const modules: PeftModule[] = [];
  for (const { module, r, A, B } of checked) {
    modules.push({ module, r, inFeatures: A.shape[1], outFeatures: B.shape[0], a: await values(A), b: await values(B) });
  }
  return { config, modules };
}
