/** What `olive finetune` does when no flag says otherwise. Knows names of model types, not models. */
import { DEFAULT_JOINER } from '#data/mapping.ts';
import { RECIPE_VERSION, type RecipeDefaults } from '#recipe/recipe.ts';

/**
 * The defaults of `olive finetune` 0.13 on transformers 5.24: joined rows with loss on every token, and transformers' own where Olive
 * is silent. Olive's `warmup_ratio` of 0.03 reaches no trainer: transformers 5 has no such argument, and `constant` has no warmup.
 * The default dtype, bfloat16, is no field here: weights keep the type of their file.
 * @source olive 0.13 olive/cli/finetune.py, olive/cli/base.py (add_dataset_options): r, alpha, target_modules, max_seq_len, max_samples,
 * add_special_tokens
 * @source olive 0.13 olive/passes/pytorch/lora.py (LoRA, HFTrainingArguments): lora_dropout, learning_rate, lr_scheduler_type
 * @source olive 0.13 olive/data/component/text_generation.py (TextGenParams): strategy, joiner
 * @source transformers 5.24 training_args.py (TrainingArguments): the rest
 */
export const OLIVE_DEFAULTS: RecipeDefaults = {
  version: RECIPE_VERSION,
  strategy: 'join',
  loss_on: 'all',
  max_seq_len: 1024,
  max_samples: 256,
  add_special_tokens: false,
  joiner: DEFAULT_JOINER,
  held_out: 0,
  stratify_by: null,
  keep_duplicates_together: false,
  train_sampling_strategy: 'random',
  method: 'lora',
  lora_r: 64,
  lora_alpha: 16,
  lora_dropout: 0.05,
  target_modules: null,
  per_device_train_batch_size: 8,
  gradient_accumulation_steps: 1,
  max_steps: null,
  num_train_epochs: 3,
  learning_rate: 2e-4,
  lr_scheduler_type: 'constant',
  warmup_steps: 0,
  warmup_ratio: 0,
  weight_decay: 0,
  adam_beta1: 0.9,
  adam_beta2: 0.999,
  adam_epsilon: 1e-8,
  max_grad_norm: 1,
  gradient_checkpointing: false,
  seed: 42,
  logging_steps: 500,
  eval_strategy: 'no',
  eval_steps: null,
  per_device_eval_batch_size: 8,
  save_strategy: 'steps',
  save_steps: 500,
  save_total_limit: null,
  load_best_model_at_end: false,
  metric_for_best_model: 'eval_loss',
  early_stopping_patience: null,
  early_stopping_threshold: 0,
};

/** The column that Olive reads when neither a field nor a template is named. */
export const OLIVE_TEXT_FIELD = 'text';

/**
 * The modules that are adapted when `target_modules` is null, by `model_type` of config.json: PEFT's choice, and Olive's for phi3.
 * @source peft 0.21 peft/utils/constants.py (TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING), olive 0.13 olive/common/hf/mappings.py
 */
const PEFT_TARGET_MODULES: Readonly<Record<string, readonly string[]>> = {
  gemma: ['q_proj', 'v_proj'],
  gemma2: ['q_proj', 'v_proj'],
  gemma3_text: ['q_proj', 'v_proj'],
  gpt2: ['c_attn'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  phi: ['q_proj', 'v_proj', 'fc1', 'fc2'],
  phi3: ['o_proj', 'qkv_proj'],
  qwen2: ['q_proj', 'v_proj'],
  qwen3: ['q_proj', 'v_proj'],
};

/** PEFT's default modules for a model type, or undefined where it has none and a user must name them. */
export function peftTargetModules(modelType: string): readonly string[] | undefined {
  return Object.hasOwn(PEFT_TARGET_MODULES, modelType) ? PEFT_TARGET_MODULES[modelType] : undefined;
}
