/** How many optimizer steps a recipe makes, counted as transformers' Trainer counts. Knows numbers of rows, not rows. */
import { invariant } from '#base/errors.ts';
import type { Recipe } from '#recipe/recipe.ts';

export interface StepPlan {
  /** R: rows of one optimizer step. The last step of an epoch takes what is left. */
  rowsPerStep: number;
  stepsPerEpoch: number;
  totalSteps: number;
  /** Epochs that the steps take, a part of one included. */
  epochs: number;
  /** Steps over which the rate rises from 0; 0 for `constant`, which has no warmup. */
  warmupSteps: number;
}

type Fields =
  | 'per_device_train_batch_size'
  | 'gradient_accumulation_steps'
  | 'max_steps'
  | 'num_train_epochs'
  | 'lr_scheduler_type'
  | 'warmup_steps'
  | 'warmup_ratio';

/**
 * The steps of a run over `sequenceCount` training sequences (rows, or blocks of joined rows).
 * @source transformers 5.24 trainer.py (set_initial_training_values), training_args.py (get_warmup_steps)
 */
export function planSteps(recipe: Pick<Recipe, Fields>, sequenceCount: number): StepPlan {
  invariant(sequenceCount >= 1, 'a run without sequences was planned');
  const rowsPerStep = recipe.per_device_train_batch_size * recipe.gradient_accumulation_steps;
  const stepsPerEpoch = Math.ceil(sequenceCount / rowsPerStep);
  const totalSteps = recipe.max_steps ?? Math.ceil(recipe.num_train_epochs * stepsPerEpoch);
  const warmup = recipe.warmup_steps > 0 ? recipe.warmup_steps : Math.ceil(totalSteps * recipe.warmup_ratio);
  return {
    rowsPerStep,
    stepsPerEpoch,
    totalSteps,
    epochs: totalSteps / stepsPerEpoch,
    warmupSteps: recipe.lr_scheduler_type === 'constant' ? 0 : warmup,
  };
}
