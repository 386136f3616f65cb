/** The engine's logits of one row with an adapter, in the file that reference/check_adapter.py reads. */
import { packStep } from '#data/packing.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import type { LoraLayout } from '#engine/methods/lora.ts';
import { type Model, ResidentModel } from '#engine/models/model.ts';
import { computeLogits } from '#engine/train/logits.ts';
import { writeSafetensors } from '#formats/safetensors.ts';
import type { Checkpoint } from '#formats/weights.ts';

/** Logits [tokens, vocab]. The weights are on the device only while it computes. */
export async function engineLogits(
  gpu: Gpu,
  checkpoint: Checkpoint,
  model: Model,
  tokens: Uint32Array,
  adapter: { layout: LoraLayout; values: Float32Array },
): Promise<Float32Array> {
  const resident = await ResidentModel.upload(gpu, checkpoint, model);
  try {
    const { batches } = packStep([{ tokens, lossMask: new Uint8Array(tokens.length) }], [tokens.length]);
    return await computeLogits(gpu, new SubmitQueue(gpu), model, batches[0], adapter);
  } finally {
    resident.destroy();
  }
}

/** Safetensors with `tokens` [n] and `logits` [n, vocab]. */
export function logitsFile(tokens: Uint32Array, logits: Float32Array): Uint8Array {
  const bytes = (array: Uint32Array | Float32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return writeSafetensors([
    { name: 'tokens', dtype: 'I32', shape: [tokens.length], data: bytes(tokens) },
    { name: 'logits', dtype: 'F32', shape: [tokens.length, logits.length / tokens.length], data: bytes(logits) },
  ]);
}
