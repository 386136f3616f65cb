/** Checkpoints that lie in the output folder already: of the same run they may stay, another's would be mixed with this one's. */
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#base/errors.ts';
import { changedFields } from '#cli/resume.ts';
import { RESULTS } from '#cli/results.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { type CheckpointState, type RunIdentity, readCheckpointState } from '#run/checkpoint.ts';
import type { CheckpointFolder } from '#storage/checkpoints.ts';
import { failureName } from '#storage/file-store.ts';

export interface Occupied {
  checkpoints: CheckpointFolder;
  output: string;
  /** The step that this run goes on from in this folder; null: it begins, or goes on from a checkpoint elsewhere. */
  fromStep: number | null;
  recipe: Recipe;
  identity: RunIdentity;
}

/**
 * Moves another run's checkpoints (with its results, where this run is not of that folder) into `earlier-N` of the output folder:
 * `--resume_from_checkpoint true` would go on from them, and a limit would delete this run's before them. Those of the same run stay: they
 * have the same bits, and are replaced as it gets there.
 * @returns what is worth saying.
 * @throws AppError `storage/failed`
 */
export async function makeWay({ checkpoints, output, fromStep, recipe, identity }: Occupied): Promise<string[]> {
  const others = (await checkpoints.list()).filter(({ step }) => fromStep === null || step > fromStep);
  if (others.length === 0) return [];
  const { step, files } = await checkpoints.latest();
  if (files === null || !others.some((other) => other.step === step)) return [];
  const why = difference(readCheckpointState(files), recipe, identity);
  if (why === null) return [];
  try {
    const folder = await newFolder(output);
    for (const name of [...others.map(({ path }) => path), ...(fromStep === null ? RESULTS : [])]) {
      await rename(join(output, name), join(folder, name)).catch((error: unknown) => {
        if (failureName(error) !== 'ENOENT') throw error;
      });
    }
    return [`${output} has checkpoint-${step} of another run (${why}): what was there is in ${folder} now`];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new AppError('storage/failed', `--output_path ${output}: ${message}`, { file: output }, error);
  }
}

/** The first `earlier-N` that is not there yet. */
async function newFolder(output: string): Promise<string> {
  for (let n = 1; ; n++) {
    const folder = join(output, `earlier-${n}`);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if (failureName(error) !== 'EEXIST') throw error;
    }
  }
}

function difference(kept: CheckpointState, recipe: Recipe, identity: RunIdentity): string | null {
  if (kept.identity.modelKey !== identity.modelKey) return 'its model is another';
  if (kept.identity.rows !== identity.rows) return 'its rows are others';
  const [field] = changedFields(kept.recipe, recipe);
  return field === undefined ? null : `its ${field} is ${JSON.stringify(kept.recipe[field])}, not ${JSON.stringify(recipe[field])}`;
}
