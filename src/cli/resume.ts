/** `--resume_from_checkpoint`: finds the checkpoint, takes its settings, and holds it to the model, the rows and the flags of now. */
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import type { FinetuneFlags } from '#cli/flags.ts';
import { say } from '#cli/progress.ts';
import { chooseCapacities } from '#engine/train/capacities.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { validateRecipe } from '#recipe/validate.ts';
import { type CheckpointState, type RunIdentity, readCheckpointState } from '#run/checkpoint.ts';
import { type RunPlan, type RunVariant, isSameVariant } from '#run/lora-run.ts';
import type { RunPosition } from '#run/position.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { nodeStore } from '#storage/node-store.ts';

/** transformers' name of a checkpoint's folder. */
export const checkpointName = (step: number): string => `checkpoint-${step}`;

export interface OpenedCheckpoint {
  files: Record<string, Uint8Array>;
  state: CheckpointState;
  /** The folder that it lies in. */
  folder: CheckpointFolder;
  /** Whether that is the output folder. */
  isInOutput: boolean;
}

function refuse(field: string, found: string, expected: string): AppError {
  return new AppError('recipe/invalid', `--${field}: ${found} was found, ${expected} was expected`, { field, found, expected });
}

/**
 * @param wanted `true`: the newest whole one of the output folder; else a checkpoint's own folder.
 * @throws AppError `storage/not-found`, `storage/damaged` naming the file; a damaged newest one is named and the one before it taken.
 */
export async function openCheckpoint(wanted: string, output: string, own: CheckpointFolder): Promise<OpenedCheckpoint> {
  if (/^true$/i.test(wanted)) {
    const { files, damaged } = await own.latest();
    for (const { path, file, found, expected } of damaged)
      say(`${join(output, path, file)} is damaged: ${found} was found, ${expected} was expected; the checkpoint before it is taken`);
    if (files) return { files, state: readCheckpointState(files), folder: own, isInOutput: true };
    throw new AppError(
      'storage/not-found',
      `--resume_from_checkpoint: no whole checkpoint was found in ${output}, one was expected; a run without the flag begins anew`,
      { field: 'resume_from_checkpoint', file: output },
    );
  }
  const path = resolve(wanted);
  const [, step] = /^checkpoint-(\d+)$/.exec(basename(path)) ?? [];
  if (step === undefined) throw refuse('resume_from_checkpoint', wanted, 'true, or a folder named checkpoint-N');
  const isInOutput = dirname(path) === resolve(output);
  const folder = isInOutput ? own : new CheckpointFolder(nodeStore(dirname(path)), '', checkpointName);
  const files = await folder.read(Number(step)).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    throw new AppError(error.code, `--resume_from_checkpoint ${wanted}: ${error.message}`, error.details, error);
  });
  return { files, state: readCheckpointState(files), folder, isInOutput };
}

/** Fields of which one that a flag sets decides for the others, too: these are not the checkpoint's then. */
const TOGETHER: readonly (readonly (keyof Recipe)[])[] = [
  ['max_steps', 'num_train_epochs'],
  ['warmup_steps', 'warmup_ratio'],
  ['mapping', 'strategy', 'loss_on'],
];

/** The recipe of a run that goes on: what flags say, and for the rest what the checkpoint has. @throws AppError `recipe/invalid` */
export function resumedRecipe(kept: Recipe, { recipe, said }: Pick<FinetuneFlags, 'recipe' | 'said'>): Recipe {
  const resumed: Record<string, unknown> = { ...kept, ...said };
  for (const group of TOGETHER) {
    if (group.some((field) => said[field] !== undefined)) for (const field of group) resumed[field] = recipe[field];
  }
  return validateRecipe(resumed);
}

/** @throws AppError `run/other-model`, `run/other-rows` */
export function checkIdentity(kept: RunIdentity, now: RunIdentity): void {
  if (kept.modelKey !== now.modelKey) {
    const message = `--model_name_or_path: ${now.modelName} was found; the checkpoint is of ${kept.modelName}, whose files are others`;
    throw new AppError('run/other-model', message, { found: now.modelName, expected: kept.modelName });
  }
  if (kept.rows !== now.rows) {
    const message =
      '--data_files: other rows were found than the checkpoint was trained on (or another split, template, length or tokenizer)';
    throw new AppError('run/other-rows', message, { found: now.rows, expected: kept.rows });
  }
}

/** The checkpoint's variant, with one capacity more where a row is measured that is longer than any was. */
export function variantFor({ variant }: CheckpointState, validationLengths: readonly number[]): RunVariant {
  const longest = validationLengths.reduce((most, length) => Math.max(most, length), 0);
  if (longest <= Math.max(...variant.evaluateCapacities)) return variant;
  return { ...variant, evaluateCapacities: [...variant.evaluateCapacities, ...chooseCapacities([longest], 1).slice(-1)] };
}

/** Fields that change no number of a run: how it is watched and kept. Which rows and which model it has is told by their hashes. */
const WATCHING: readonly (keyof Recipe)[] = [
  'model',
  'data_files',
  'held_out',
  'stratify_by',
  'keep_duplicates_together',
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
];

/** The fields in which two recipes give different numbers. */
export function changedFields(kept: Recipe, now: Recipe): (keyof Recipe)[] {
  const fields = Object.keys(now) as (keyof Recipe)[];
  return fields.filter((field) => !WATCHING.includes(field) && JSON.stringify(kept[field]) !== JSON.stringify(now[field]));
}

/**
 * What is worth saying of going on from a checkpoint: settings that are others now, another device.
 * @throws AppError `recipe/invalid` for an adapter of another shape, or when it has more steps already.
 */
export function checkCheckpoint({ state, files }: Pick<OpenedCheckpoint, 'state' | 'files'>, plan: RunPlan): string[] {
  const { recipe, variant, position } = state;
  const now = plan.recipe;
  const targets = (names: readonly string[]) => [...new Set(names)].sort().join(',');
  const config = JSON.parse(new TextDecoder().decode(files['adapter_config.json'])) as { target_modules: string[] };
  const fixed: [string, string, string][] = [
    ['lora_r', String(now.lora_r), String(recipe.lora_r)],
    ['lora_alpha', String(now.lora_alpha), String(recipe.lora_alpha)],
    [
      'target_modules',
      targets(plan.layout.modules.map(({ module }) => module.split('.').at(-1) ?? module)),
      targets(config.target_modules),
    ],
  ];
  const other = fixed.find(([, found, expected]) => found !== expected);
  if (other) throw refuse(other[0], other[1], `${other[2]}, which the checkpoint's adapter has,`);
  const { totalSteps } = plan.steps;
  if (position.step > totalSteps) {
    const expected = `more than the ${position.step} steps that the checkpoint has`;
    throw refuse('max_steps', `${totalSteps} steps`, expected);
  }
  const lines = [
    position.step < totalSteps
      ? `going on from step ${position.step} of ${totalSteps}`
      : `all ${totalSteps} steps are done already; a greater --max_steps goes on`,
  ];
  for (const field of changedFields(recipe, now).filter((name) => name !== 'target_modules'))
    lines.push(`  ${field} was ${JSON.stringify(recipe[field])} and is ${JSON.stringify(now[field])} from here on`);
  if (!isSameVariant(variant, plan.variant))
    lines.push(`  it was saved on ${variant.device}: on another device the numbers go on, but not bit for bit`);
  return lines;
}

/** Whether the run had ended by itself there: evaluations had brought no gain for as long as the recipe allows. */
export function endedEarly({ evaluationsWithoutGain, evaluatedAt, step }: RunPosition, recipe: Recipe): boolean {
  return recipe.early_stopping_patience !== null && evaluatedAt === step && evaluationsWithoutGain >= recipe.early_stopping_patience;
}

/**
 * Where the run goes on, with its best checkpoint in the output folder for the end. One that is gone or damaged is told, and the best is
 * looked for anew.
 */
export async function withBest(
  { state, folder, isInOutput }: OpenedCheckpoint,
  own: CheckpointFolder,
  recipe: Recipe,
): Promise<RunPosition> {
  const { position } = state;
  const { best } = position;
  if (!recipe.load_best_model_at_end || best === null) return position;
  try {
    const files = await folder.read(best.step);
    if (!isInOutput) await own.write(best.step, files);
    return position;
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'storage/quota') throw error;
    say(`the best checkpoint so far cannot be used: ${error.message}; the best is looked for from here on`);
    return { ...position, best: null, evaluationsWithoutGain: 0 };
  }
}
