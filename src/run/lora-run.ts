/** One LoRA run on an open model: planned from a recipe and rows, then allocated. What the worker and the command line share. */
import { AppError } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import type { Gpu, GpuLimits } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { type LoraLayout, type LoraOptions, initialLora, layoutLora } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import { chooseCapacities } from '#engine/train/capacities.ts';
import { TrainerControl } from '#engine/train/trainer.ts';
import { type TrainingPlan, planTraining } from '#engine/train/training-plan.ts';
import { Training, type TrainingState } from '#engine/train/training.ts';
import { peftTargetModules } from '#recipe/olive.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { type StepPlan, planSteps } from '#recipe/steps.ts';
import type { ValidationRows } from '#run/evaluation.ts';

/** What decides a run's bits besides its recipe: kept in a checkpoint, so that a resumed run computes the same. */
export interface RunVariant {
  /** The device, in words. */
  device: string;
  /** Kernels and chunks are chosen by these. */
  limits: GpuLimits;
  capacities: readonly number[];
  evaluateCapacities: readonly number[];
}

export interface RunPlan {
  readonly recipe: Recipe;
  readonly steps: StepPlan;
  readonly layout: LoraLayout;
  readonly training: TrainingPlan;
  readonly variant: RunVariant;
}

function loraOptions(model: Model, recipe: Recipe): LoraOptions {
  const targetModules = recipe.target_modules ?? peftTargetModules(model.config.type);
  if (!targetModules) {
    throw new AppError('recipe/invalid', `target_modules is null, and PEFT has no choice for ${model.config.type}: names were expected`, {
      field: 'target_modules',
    });
  }
  return { r: recipe.lora_r, loraAlpha: recipe.lora_alpha, loraDropout: recipe.lora_dropout, targetModules };
}

export function deviceWords({ adapter }: Pick<Gpu, 'adapter'>): string {
  return [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(' ');
}

export interface PlanOptions {
  /** Tokens of the rows that are evaluated. */
  validationLengths?: ArrayLike<number>;
  /** That of the checkpoint which the run goes on from. */
  variant?: RunVariant;
}

/**
 * Plans a run over rows of these lengths; allocates nothing.
 * @throws AppError `recipe/invalid`, `data/no-rows`, `gpu/limit`
 */
export function planRun(
  model: Model,
  recipe: Recipe,
  rowLengths: ArrayLike<number>,
  gpu: Pick<Gpu, 'limits' | 'adapter'>,
  options: PlanOptions = {},
): RunPlan {
  if (rowLengths.length === 0)
    throw new AppError('data/no-rows', 'no rows are left to train on, at least one was expected', { found: 0, expected: 1 });
  const layout = layoutLora(model, loraOptions(model, recipe));
  const { variant: kept, validationLengths = [] } = options;
  const capacities = kept?.capacities ?? chooseCapacities(rowLengths, recipe.per_device_train_batch_size);
  const evaluateCapacities = kept?.evaluateCapacities ?? evaluationCapacities(capacities, validationLengths);
  const { limits } = gpu;
  const training = planTraining(
    model,
    layout,
    {
      capacities,
      evaluateCapacities,
      recompute: recipe.gradient_checkpointing ? 'every-block' : 'none',
      optimizer: { beta1: recipe.adam_beta1, beta2: recipe.adam_beta2, epsilon: recipe.adam_epsilon, weightDecay: recipe.weight_decay },
      maxGradNorm: recipe.max_grad_norm,
    },
    limits,
  );
  const variant = { device: deviceWords(gpu), limits, capacities, evaluateCapacities };
  return { recipe, steps: planSteps(recipe, rowLengths.length), layout, training, variant };
}

/** The training capacities, and one more where a row that is evaluated is longer than any that is trained on. */
function evaluationCapacities(capacities: readonly number[], lengths: ArrayLike<number>): readonly number[] {
  let longest = 0;
  for (let i = 0; i < lengths.length; i++) longest = Math.max(longest, lengths[i]);
  const largest = Math.max(...capacities);
  return longest > largest ? [...capacities, ...chooseCapacities([longest], 1).slice(-1)] : capacities;
}

/** Whether a run that was planned as `kept` gives the same bits when it goes on as `now`. */
export function isSameVariant(kept: RunVariant, now: RunVariant): boolean {
  return kept.device === now.device && JSON.stringify(kept.limits) === JSON.stringify(now.limits);
}

export class LoraRun {
  readonly plan: RunPlan;
  readonly control = new TrainerControl();
  readonly training: Training;
  readonly sequences: readonly Sequence[];
  readonly validation: ValidationRows | null;
  /** Steps done. */
  step = 0;

  private constructor(plan: RunPlan, training: Training, sequences: readonly Sequence[], validation: ValidationRows | null) {
    this.plan = plan;
    this.training = training;
    this.sequences = sequences;
    this.validation = validation;
  }

  /** Allocates everything; the adapter starts as PEFT's does, or as `state` says (in the layout's order). */
  static async create(
    gpu: Gpu,
    queue: SubmitQueue,
    plan: RunPlan,
    rows: { sequences: readonly Sequence[]; validation: ValidationRows | null },
    state: Partial<TrainingState> = {},
  ): Promise<LoraRun> {
    const training = await Training.create(gpu, queue, plan.training);
    training.writeState({ ...state, adapter: state.adapter ?? initialLora(plan.layout, plan.recipe.seed) });
    return new LoraRun(plan, training, rows.sequences, rows.validation);
  }

  destroy(): void {
    this.training.destroy();
  }
}
