/** Which settings the form shows, in which groups, and which of them only beside others. Pure. */
import type { Recipe } from '#recipe/recipe.ts';
import type { RecipeIssue } from '#recipe/validate.ts';

type Field = keyof Recipe;
export type FormGroup = 'adapter' | 'optimizer' | 'steps' | 'data' | 'validation' | 'records';

/** Every field of a recipe but those that Model and Data are for. */
export const FORM_GROUPS: readonly { group: FormGroup; fields: readonly Field[] }[] = [
  { group: 'adapter', fields: ['method', 'lora_r', 'lora_alpha', 'lora_dropout', 'target_modules'] },
  {
    group: 'steps',
    fields: ['max_steps', 'num_train_epochs', 'per_device_train_batch_size', 'gradient_accumulation_steps', 'gradient_checkpointing'],
  },
  {
    group: 'optimizer',
    fields: [
      'learning_rate',
      'lr_scheduler_type',
      'warmup_steps',
      'warmup_ratio',
      'weight_decay',
      'max_grad_norm',
      'adam_beta1',
      'adam_beta2',
      'adam_epsilon',
    ],
  },
  {
    group: 'data',
    fields: ['strategy', 'joiner', 'max_seq_len', 'max_samples', 'add_special_tokens', 'train_sampling_strategy'],
  },
  {
    group: 'validation',
    fields: [
      'held_out',
      'stratify_by',
      'keep_duplicates_together',
      'eval_strategy',
      'eval_steps',
      'per_device_eval_batch_size',
      'early_stopping_patience',
      'early_stopping_threshold',
      'load_best_model_at_end',
      'metric_for_best_model',
    ],
  },
  { group: 'records', fields: ['save_strategy', 'save_steps', 'save_total_limit', 'logging_steps', 'seed'] },
];

/** What other pages are for: shown with the way there. */
export const ELSEWHERE = ['version', 'model', 'data_files', 'mapping', 'loss_on'] as const satisfies readonly Field[];

/** Settings that mean nothing until another has a certain value. */
const ONLY_WITH: { readonly [F in Field]?: (values: Readonly<Record<string, unknown>>) => boolean } = {
  joiner: ({ strategy }) => strategy === 'join',
  add_special_tokens: ({ loss_on }) => loss_on === 'all',
  eval_steps: ({ eval_strategy }) => eval_strategy === 'steps',
  early_stopping_threshold: ({ early_stopping_patience }) => early_stopping_patience !== null,
  metric_for_best_model: (values) => values.load_best_model_at_end === true || values.early_stopping_patience !== null,
  save_steps: ({ save_strategy }) => save_strategy === 'steps',
  save_total_limit: ({ save_strategy }) => save_strategy !== 'no',
};

/** What has an issue is shown always: it has to be mended. */
export function isShown(field: Field, values: Readonly<Record<string, unknown>>, issues: readonly RecipeIssue[]): boolean {
  return ONLY_WITH[field]?.(values) !== false || issues.some((issue) => issue.field === field);
}
