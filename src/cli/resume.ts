/** `--resume_from_checkpoint`: finds the checkpoint, and holds it to the model, the rows and the flags of now. */
import { resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import { type Recipe } from '#recipe/recipe.ts';
import { type CheckpointState, type RunIdentity, readCheckpointState } from '#run/checkpoint.ts';
import { type RunPlan, isSameVariant } from '#run/lora-run.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { nodeStore } from '#storage/node-store.ts';

/** transformers' name of a checkpoint's folder. */
export const checkpointName = (step: number): string => `checkpoint-${step}`;

export interface OpenedCheckpoint {
  files: Record<string, Uint8Array>;
  state: CheckpointState;
}

const say = (text: string) => process.stderr.write(`${text}\n`);

/**
 * @param wanted `true`: the newest whole one of the output folder; else a checkpoint's own folder.
 * @throws AppError `storage/not-found`, `storage/damaged` naming the file; a damaged newest one is named and the one before it taken.
 */
export async function openCheckpoint(wanted: string, folder: CheckpointFolder): Promise<OpenedCheckpoint> {
  if (/^true$/i.test(wanted)) {
    const { files, damaged } = await folder.latest();
    for (const { path, file, found, expected } of damaged)
      say(`${path}/${file} is damaged: ${found} was found, ${expected} was expected; passed over`);
    if (files) return { files, state: readCheckpointState(files) };
    throw new AppError('storage/not-found', '--resume_from_checkpoint true: no whole checkpoint lies in the output folder', {
      field: 'resume_from_checkpoint',
    });
  }
  const [, parent, step] = /^(.*?)checkpoint-(\d+)$/.exec(resolve(wanted)) ?? [];
  if (parent === undefined || step === undefined) {
    const [found, expected] = [wanted, 'true, or a folder named checkpoint-N'];
    throw new AppError('recipe/invalid', `--resume_from_checkpoint: ${found} was found, ${expected} was expected`, {
      field: 'resume_from_checkpoint',
      found,
      expected,
    });
  }
  const files = await new CheckpointFolder(nodeStore(parent), '', checkpointName).read(Number(step));
  return { files, state: readCheckpointState(files) };
}

/** Fields that may differ without a word: they change how a run is watched, or for how long it goes on. */
const FREE_FIELDS: readonly (keyof Recipe)[] = [
  'model',
  'data_files',
  'max_steps',
  'num_train_epochs',
  'logging_steps',
  'eval_strategy',
  'eval_steps',
  'per_device_eval_batch_size',
  'save_strategy',
  'save_steps',
  'save_total_limit',
  'load_best_model_at_end',
  'metric_for_best_model',
  'early_stopping_patience',
  'early_stopping_threshold',
  'held_out',
];

/**
 * What is worth saying of going on from a checkpoint: settings that are others now, another device.
 * @throws AppError `run/other-model`, `run/other-rows`; `recipe/invalid` when it has all the steps already.
 */
export function checkCheckpoint({ identity, recipe, variant, position }: CheckpointState, plan: RunPlan, now: RunIdentity): string[] {
  if (identity.modelKey !== now.modelKey) {
    const message = `--model_name_or_path: ${now.modelName} was found; the checkpoint is of ${identity.modelName}, whose files are others`;
    throw new AppError('run/other-model', message, { found: now.modelName, expected: identity.modelName });
  }
  if (identity.rows !== now.rows) {
    const message = '--data_files: other rows were found than the checkpoint was trained on (or another template, length or tokenizer)';
    throw new AppError('run/other-rows', message, { found: now.rows, expected: identity.rows });
  }
  if (position.step >= plan.steps.totalSteps) {
    const message = `the checkpoint has ${position.step} steps, more than that were expected of --max_steps or --num_train_epochs; ${plan.steps.totalSteps} were found`;
    throw new AppError('recipe/invalid', message, { field: 'max_steps', found: plan.steps.totalSteps, expected: position.step + 1 });
  }
  const fields = Object.keys(recipe) as (keyof Recipe)[];
  const changed = fields.filter(
    (field) => !FREE_FIELDS.includes(field) && JSON.stringify(recipe[field]) !== JSON.stringify(plan.recipe[field]),
  );
  const lines = [`going on from step ${position.step}`];
  for (const field of changed)
    lines.push(`  ${field} was ${JSON.stringify(recipe[field])} and is ${JSON.stringify(plan.recipe[field])} from here on`);
  if (!isSameVariant(variant, plan.variant))
    lines.push(`  it was saved on ${variant.device}: on another device the numbers go on, but not bit for bit`);
  return lines;
}
