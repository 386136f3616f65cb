/** Adapters of fixed numbers, the same bytes on every machine: what PEFT was shown. Knows no device. */
import { Random } from '#base/random.ts';
import { type LoraLayout, fromPeftTensors, layoutLora, peftNames } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import type { PeftFiles } from '#export/peft-adapter.ts';
import { adapterFiles } from '#run/adapter-files.ts';

/** A product of this A and B moves an output by about a tenth of its size: far more than rounding, and the model still works. */
const A_SCALE = 1.7;
const B_SCALE = 0.035;

export interface FixedAdapter {
  layout: LoraLayout;
  /** In the layout's order. */
  values: Float32Array;
  files: PeftFiles;
}

/**
 * An adapter on every linear, A [r, in] uniform in +-1.7 / sqrt(in) and B [out, r] in +-0.035: sums of integers and one rounding, so
 * that no library's logarithm or cosine is in it. Alpha is 2 r.
 */
export function fixedAdapter(model: Model, r: number, baseModel: string): FixedAdapter {
  const layout = layoutLora(model, { r, loraAlpha: 2 * r, loraDropout: 0, targetModules: 'all-linear' });
  const random = new Random(2024);
  const uniform = (rows: number, columns: number, scale: number) => ({
    shape: [rows, columns],
    data: Float32Array.from({ length: rows * columns }, () => (2 * random.uniform() - 1) * scale),
  });
  const tensors = new Map(
    layout.modules.flatMap(({ module, inputs, outputs }) => {
      const names = peftNames(module);
      return [[names.a, uniform(r, inputs, A_SCALE / Math.sqrt(inputs))] as const, [names.b, uniform(outputs, r, B_SCALE)] as const];
    }),
  );
  const values = fromPeftTensors(layout, tensors);
  return { layout, values, files: adapterFiles(layout, values, baseModel) };
}
