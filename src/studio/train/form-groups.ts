/** Which settings the form shows, in which groups, and which of them only beside others. Pure. */
import type { Recipe } from '#recipe/recipe.ts';
import type { RecipeIssue } from '#recipe/validate.ts';

type Field = keyof Recipe;
export type FormGroup = 'adapter' | 'optimizer' | 'steps' | 'data' | 'validation' | 'records';

/** The rest keeps its default until the recipe has a page of its own; recompute stands beside the memory. */
export const FORM_GROUPS: readonly { group: FormGroup; fields: readonly Field[] }[] = [
  { group: 'adapter', fields: ['lora_r', 'lora_alpha', 'lora_dropout', 'target_modules'] },
  { group: 'optimizer', fields: ['learning_rate', 'lr_scheduler_type', 'warmup_steps', 'warmup_ratio', 'weight_decay', 'max_grad_norm'] },
  { group: 'steps', fields: ['max_steps', 'num_train_epochs', 'per_device_train_batch_size', 'gradient_accumulation_steps'] },
  { group: 'data', fields: ['strategy', 'max_seq_len'] },
  {
    group: 'validation',
    fields: [
      'held_out',
      'stratify_by',
      'keep_duplicates_together',
      'eval_strategy',
      'eval_steps',
      'early_stopping_patience',
      'early_stopping_threshold',
      'load_best_model_at_end',
      'metric_for_best_model',
      'save_strategy',
      'save_steps',
      'save_total_limit',
    ],
  },
  { group: 'records', fields: ['seed'] },
];

/** Settings that mean nothing until another has a certain value. */
const ONLY_WITH: { readonly [F in Field]?: (values: Readonly<Record<string, unknown>>) => boolean } = {
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
