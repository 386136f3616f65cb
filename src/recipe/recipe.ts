/** A run described as plain JSON: what is trained, on what, how. Names are the flags of Olive and transformers. Knows no file and no GPU. */
import type { HoldOutOptions } from '#data/hold-out.ts';
import { type DataMapping, type DataOptions, DEFAULT_JOINER, type LossOn, type Strategy } from '#data/mapping.ts';
import type { SamplingStrategy } from '#data/split.ts';

/** transformers' names and meaning: `constant` has no warmup, `constant_with_warmup` has. */
export type SchedulerType = 'constant' | 'constant_with_warmup' | 'linear' | 'cosine';

export const INTERVAL_STRATEGIES = ['no', 'steps', 'epoch'] as const;
export type IntervalStrategy = (typeof INTERVAL_STRATEGIES)[number];

/** Loss: the least is best. Accuracy: the greatest. */
export const BEST_METRICS = ['eval_loss', 'eval_mean_token_accuracy'] as const;
export type BestMetric = (typeof BEST_METRICS)[number];

export const RECIPE_VERSION = 1;

/** A run. Ranges, usual values and a sentence for each field are in RECIPE_FIELDS. */
export interface Recipe {
  version: typeof RECIPE_VERSION;
  /** A folder, a .gguf file, a hub id, or `demo`. */
  model: string;
  data_files: string[];
  mapping: DataMapping;
  strategy: Strategy;
  loss_on: LossOn;
  max_seq_len: number;
  /** null: all. */
  max_samples: number | null;
  add_special_tokens: boolean;
  joiner: string;
  /** Below 1 a share of the rows, else a number of rows. */
  held_out: number;
  /** The column of which each value keeps its share among the held-out rows; null: rows are drawn whatever they hold. */
  stratify_by: string | null;
  /** Rows that say almost the same are trained on, or held out, together. */
  keep_duplicates_together: boolean;
  train_sampling_strategy: SamplingStrategy;

  method: 'lora';
  lora_r: number;
  lora_alpha: number;
  lora_dropout: number;
  /** Last parts of module names, `all-linear`, or null for what PEFT takes for the architecture. */
  target_modules: string[] | 'all-linear' | null;

  per_device_train_batch_size: number;
  gradient_accumulation_steps: number;
  /** Optimizer steps; null: as many as `num_train_epochs` makes. */
  max_steps: number | null;
  num_train_epochs: number;
  learning_rate: number;
  lr_scheduler_type: SchedulerType;
  warmup_steps: number;
  /** Share of all steps, where `warmup_steps` is 0. */
  warmup_ratio: number;
  weight_decay: number;
  adam_beta1: number;
  adam_beta2: number;
  adam_epsilon: number;
  /** 0: no clipping. */
  max_grad_norm: number;
  /** Activations of each decoder block are computed again in the backward pass: the same numbers, less memory, more time. */
  gradient_checkpointing: boolean;

  seed: number;
  logging_steps: number;
  /** `no`: held-out rows are measured at the end alone. */
  eval_strategy: IntervalStrategy;
  /** Steps between evaluations on the held-out rows, with `steps`; null: ten times a run. */
  eval_steps: number | null;
  /** Rows of one evaluation batch: transformers' eval_loss is the mean over batches, weighted by their rows. */
  per_device_eval_batch_size: number;
  /** `no`: a run that ends early keeps nothing to go on from. */
  save_strategy: IntervalStrategy;
  /** Steps between checkpoints, with `steps`; null: by time, as often as costs at most a twentieth of it. */
  save_steps: number | null;
  /** Checkpoints that are kept, the best and the last among them; null: all. */
  save_total_limit: number | null;
  load_best_model_at_end: boolean;
  metric_for_best_model: BestMetric;
  /** Evaluations without an improvement after which the run ends; null: it goes on. */
  early_stopping_patience: number | null;
  /** What an improvement has to be more than. */
  early_stopping_threshold: number;
}

/** What a user must say: the rest has defaults. */
export type RequiredField = 'model' | 'data_files' | 'mapping';
export type RecipeDefaults = Omit<Recipe, RequiredField>;

/** Our defaults: loss on the answers alone, every linear adapted. */
export const DEFAULTS: RecipeDefaults = {
  version: RECIPE_VERSION,
  strategy: 'line-by-line',
  loss_on: 'answer',
  max_seq_len: 512,
  max_samples: null,
  add_special_tokens: false,
  joiner: DEFAULT_JOINER,
  held_out: 0.05,
  stratify_by: null,
  keep_duplicates_together: true,
  train_sampling_strategy: 'random',
  method: 'lora',
  lora_r: 16,
  lora_alpha: 32,
  lora_dropout: 0,
  target_modules: 'all-linear',
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  max_steps: null,
  num_train_epochs: 3,
  learning_rate: 2e-4,
  lr_scheduler_type: 'cosine',
  warmup_steps: 0,
  warmup_ratio: 0.03,
  weight_decay: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  max_grad_norm: 1,
  gradient_checkpointing: false,
  seed: 42,
  logging_steps: 1,
  eval_strategy: 'steps',
  eval_steps: null,
  per_device_eval_batch_size: 8,
  save_strategy: 'steps',
  save_steps: null,
  save_total_limit: 2,
  load_best_model_at_end: false,
  metric_for_best_model: 'eval_loss',
  early_stopping_patience: null,
  early_stopping_threshold: 0,
};

/** What the data layer needs of a recipe. */
export function dataOptions(recipe: Recipe): DataOptions {
  return {
    mapping: recipe.mapping,
    strategy: recipe.strategy,
    loss: recipe.loss_on,
    maxLength: recipe.max_seq_len,
    maxSamples: recipe.max_samples,
    addSpecialTokens: recipe.add_special_tokens,
    joiner: recipe.joiner,
  };
}

/** Which of the rows are held out. */
export function holdOutOptions(recipe: Recipe): HoldOutOptions {
  return {
    heldOut: recipe.held_out,
    seed: recipe.seed,
    stratifyBy: recipe.stratify_by,
    keepDuplicatesTogether: recipe.keep_duplicates_together,
  };
}
