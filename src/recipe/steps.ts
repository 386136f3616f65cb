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

type IntervalFields = 'eval_strategy' | 'eval_steps' | 'save_strategy' | 'save_steps';

/** When something happens between steps: every so many of them (Infinity: never), or by time. */
export interface Interval {
  steps: number;
  byTime: boolean;
}

/** Evaluations of a run whose recipe does not say how many. */
const EVALUATIONS = 10;

/** Steps between evaluations; Infinity: at the end alone. */
export function evaluationInterval(recipe: Pick<Recipe, IntervalFields>, { stepsPerEpoch, totalSteps }: StepPlan): number {
  if (recipe.eval_strategy === 'no') return Infinity;
  if (recipe.eval_strategy === 'epoch') return stepsPerEpoch;
  return recipe.eval_steps ?? Math.max(1, Math.round(totalSteps / EVALUATIONS));
}

/** When checkpoints are written besides the last one. */
export function saveInterval(recipe: Pick<Recipe, IntervalFields>, { stepsPerEpoch }: StepPlan): Interval {
  if (recipe.save_strategy === 'no') return { steps: Infinity, byTime: false };
  if (recipe.save_strategy === 'epoch') return { steps: stepsPerEpoch, byTime: false };
  return recipe.save_steps === null ? { steps: Infinity, byTime: true } : { steps: recipe.save_steps, byTime: false };
}
