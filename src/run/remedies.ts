/** What would make a run fit that ran out of memory: changes of its recipe, by the planner's bytes. Allocates nothing. */
import type { Gpu } from '#engine/gpu/device.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import type { Model } from '#engine/models/model.ts';
import type { Remedy } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { planRun } from '#run/lora-run.ts';

/** A change that saves less is not worth a try. */
const LEAST_SAVING = 0.9;

/** The same step from smaller batches: its numbers are the same but for rounding. */
function smallerBatch(recipe: Recipe): Partial<Recipe> | null {
  const rows = recipe.per_device_train_batch_size;
  if (rows === 1) return null;
  const half = Math.ceil(rows / 2);
  return { per_device_train_batch_size: half, gradient_accumulation_steps: Math.ceil((rows * recipe.gradient_accumulation_steps) / half) };
}

/**
 * Changes that make the run smaller, each with the bytes that the planner finds for it; those first that leave its numbers as they are:
 * recompute, smaller batches, both, then shorter rows.
 */
export function findRemedies(model: Model, recipe: Recipe, rowLengths: ArrayLike<number>, gpu: Pick<Gpu, 'limits' | 'adapter'>): Remedy[] {
  const bytesWith = (change: Partial<Recipe>): number => {
    const changed = { ...recipe, ...change };
    const lengths = Array.from(rowLengths, (length) => Math.min(length, changed.max_seq_len));
    return totalBytes(planRun(model, changed, lengths, gpu).training.bytes);
  };
  const insteadOfBytes = bytesWith({});
  const recompute: Partial<Recipe> = recipe.gradient_checkpointing ? {} : { gradient_checkpointing: true };
  const batch = smallerBatch(recipe);
  let longest = 0;
  for (let i = 0; i < rowLengths.length; i++) longest = Math.max(longest, rowLengths[i]);
  const shorter = { max_seq_len: Math.max(2, Math.floor(longest / 2)) };
  const changes = [recompute, batch ?? {}, { ...recompute, ...batch }, { ...recompute, ...batch, ...shorter }];
  const seen = new Set<string>();
  return changes.flatMap((change) => {
    const key = JSON.stringify(change);
    if (key === '{}' || seen.has(key)) return [];
    seen.add(key);
    const bytes = bytesWith(change);
    return bytes < insteadOfBytes * LEAST_SAVING ? [{ change, totalBytes: bytes, insteadOfBytes }] : [];
  });
}
