/** A trained adapter as PEFT's two files, and an adapter folder as the start of a run. */
import { readText, type ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { type LoraLayout, type LoraOptions, fromPeftTensors, layoutLora, peftNames, toPeftTensors } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import { type LinearShapes, type PeftFiles, peftAdapter, readPeftAdapter } from '#export/peft-adapter.ts';

/** PEFT's files for the adapter's numbers (in the layout's order). `baseModel`: the name that loading code sees. */
export function adapterFiles(layout: LoraLayout, values: Float32Array, baseModel: string): PeftFiles {
  const { options } = layout;
  const tensors = new Map(toPeftTensors(layout, values).map(({ name, data }) => [name, data]));
  const names = [...new Set(layout.modules.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)))];
  return peftAdapter({
    config: {
      baseModel,
      r: options.r,
      loraAlpha: options.loraAlpha,
      loraDropout: options.loraDropout,
      targetModules: names,
      useRslora: false,
      rankPattern: {},
      alphaPattern: {},
    },
    modules: layout.modules.map(({ module, inputs, outputs }) => ({
      module,
      r: options.r,
      inFeatures: inputs,
      outFeatures: outputs,
      a: tensors.get(peftNames(module).a) as Float32Array,
      b: tensors.get(peftNames(module).b) as Float32Array,
    })),
  });
}

/** The linears of a model that an adapter may adapt, [out, in] by module. */
function linearShapes(model: Model): LinearShapes {
  const linears = model.architecture.matrices(model.config).filter(({ isLinear }) => isLinear);
  return new Map(linears.map(({ name, rows, columns }) => [name.replace(/\.weight$/, ''), [rows, columns] as const]));
}

/**
 * The numbers and the settings of a PEFT folder: r, alpha, dropout and targets hold for the run that goes on from it.
 * @throws AppError `model/missing-file`, `format/*`, `model/unsupported` for what a run cannot go on from.
 */
export async function readAdapterFolder(
  model: Model,
  files: ReadonlyMap<string, ByteSource>,
): Promise<{ options: LoraOptions; values: Float32Array }> {
  const find = (name: string): ByteSource => {
    const source = files.get(name);
    if (source) return source;
    throw new AppError(
      'model/missing-file',
      `${name}: an adapter folder has adapter_config.json and adapter_model.safetensors; ${name} was expected`,
      { file: name },
    );
  };
  const { config, modules } = await readPeftAdapter(
    await readText(find('adapter_config.json'), 2 ** 20),
    find('adapter_model.safetensors'),
    linearShapes(model),
  );
  if (config.useRslora || Object.keys(config.rankPattern).length > 0 || Object.keys(config.alphaPattern).length > 0) {
    throw new AppError(
      'model/unsupported',
      'adapter_config.json: use_rslora, rank_pattern or alpha_pattern was found; a run goes on from plain LoRA alone',
      {
        file: 'adapter_config.json',
      },
    );
  }
  const lastParts = [...new Set(modules.map(({ module }) => module.slice(module.lastIndexOf('.') + 1)))];
  const options: LoraOptions = { r: config.r, loraAlpha: config.loraAlpha, loraDropout: config.loraDropout, targetModules: lastParts };
  const layout = layoutLora(model, options);
  const tensors = new Map<string, { shape: number[]; data: Float32Array }>();
  for (const { module, r, inFeatures, outFeatures, a, b } of modules) {
    tensors.set(peftNames(module).a, { shape: [r, inFeatures], data: a });
    tensors.set(peftNames(module).b, { shape: [outFeatures, r], data: b });
  }
  return { options, values: fromPeftTensors(layout, tensors) };
}
