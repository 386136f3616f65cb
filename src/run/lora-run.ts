/** One LoRA run on an open model: planned from a recipe and rows, then trained. What the worker and the command line share. */
import { AppError } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import { RowOrder } from '#data/split.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { type LoraLayout, type LoraOptions, initialLora, layoutLora } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import { chooseCapacities } from '#engine/train/capacities.ts';
import { type StepReport, type TrainerRun, TrainerControl, runTrainer } from '#engine/train/trainer.ts';
import { type TrainingPlan, planTraining } from '#engine/train/training-plan.ts';
import { Training } from '#engine/train/training.ts';
import { peftTargetModules } from '#recipe/olive.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { type StepPlan, planSteps } from '#recipe/steps.ts';

export interface RunPlan {
  readonly recipe: Recipe;
  readonly steps: StepPlan;
  readonly layout: LoraLayout;
  readonly training: TrainingPlan;
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

/**
 * Plans a run over rows of these lengths; allocates nothing.
 * @throws AppError `recipe/invalid`, `gpu/limit`, `data/no-rows`.
 */
export function planRun(
  model: Model,
  recipe: Recipe,
  rowLengths: ArrayLike<number>,
  gpu: Gpu,
): RunPlan {
  if (rowLengths.length === 0)
    throw new AppError('data/no-rows', 'no rows are left to train on, at least one was expected', { found: 0, expected: 1 });
  const layout = layoutLora(model, loraOptions(model, recipe));
  const capacities = chooseCapacities(rowLengths, recipe.per_device_train_batch_size);
  const training = planTraining(
    model,
    layout,
    {
      capacities,
      recompute: recipe.gradient_checkpointing ? 'every-block' : 'none',
      optimizer: { beta1: recipe.adam_beta1, beta2: recipe.adam_beta2, epsilon: recipe.adam_epsilon, weightDecay: recipe.weight_decay },
      maxGradNorm: recipe.max_grad_norm,
    },
    gpu.limits,
  );
  return { recipe, steps: planSteps(recipe, rowLengths.length), layout, training };
}

export class LoraRun {
  readonly plan: RunPlan;
  readonly control = new TrainerControl();
  readonly training: Training;
  readonly #sequences: readonly Sequence[];
  #steps = 0;

  private constructor(plan: RunPlan, training: Training, sequences: readonly Sequence[]) {
    this.plan = plan;
    this.training = training;
    this.#sequences = sequences;
  }

  /** Allocates everything; the adapter starts as PEFT's does, or as `adapter` (in the layout's order). */
  static async create(
    gpu: Gpu,
    queue: SubmitQueue,
    plan: RunPlan,
    sequences: readonly Sequence[],
    adapter?: Float32Array,
  ): Promise<LoraRun> {
    const training = await Training.create(gpu, queue, plan.training);
    training.writeState({ adapter: adapter ?? initialLora(plan.layout, plan.recipe.seed) });
    return new LoraRun(plan, training, sequences);
  }

  /** Steps done. */
  get step(): number {
    return this.#steps;
  }

  /** Trains to the end, or until `control.stop()`. */
  async train(hooks: Pick<TrainerRun, 'onStep' | 'onBoundary' | 'onPause' | 'onResume'>): Promise<number> {
    const { recipe, steps } = this.plan;
    return runTrainer({
      training: this.training,
      sequences: this.#sequences,
      order: new RowOrder(this.#sequences.length, recipe.train_sampling_strategy, recipe.seed),
      rowsPerStep: steps.rowsPerStep,
      totalSteps: steps.totalSteps,
      schedule: {
        type: recipe.lr_scheduler_type,
        warmupSteps: steps.warmupSteps,
        totalSteps: steps.totalSteps,
        peak: recipe.learning_rate,
      },
      seed: recipe.seed,
      control: this.control,
      ...hooks,
      onStep: (report: StepReport) => {
        this.#steps = report.step;
        hooks.onStep(report);
      },
    });
  }

  destroy(): void {
    this.training.destroy();
  }
}
