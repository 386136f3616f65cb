/** The recipe's schema as data: for each field its kind and range, and the words that a form shows. Knows no form. */
import { LOSS_ON, STRATEGIES } from '#data/mapping.ts';
import { BEST_METRICS, INTERVAL_STRATEGIES, type Recipe, RECIPE_VERSION } from '#recipe/recipe.ts';

/** What a field may hold. `nullMeans`: null is allowed, and this is what it stands for. */
export type FieldKind =
  | { kind: 'integer'; min: number; max: number; nullMeans?: string }
  /** `open`: the ends that are no value themselves. */
  | { kind: 'number'; min: number; max: number; open?: 'min' | 'max' }
  | { kind: 'choice'; choices: readonly (string | number)[] }
  | { kind: 'boolean' }
  | { kind: 'text'; mayBeEmpty: boolean; nullMeans?: string }
  | { kind: 'texts' }
  | { kind: 'modules'; nullMeans: string }
  | { kind: 'mapping' };

export type FieldGroup = 'model' | 'data' | 'adapter' | 'steps' | 'optimizer' | 'records';

export interface FieldInfo {
  label: string;
  group: FieldGroup;
  /** What most people take, as a form says it. */
  usual: string;
  /** One sentence: what it does. */
  about: string;
  value: FieldKind;
}

/** Past these a value is a slip of the finger, not a wish. */
const MOST_TOKENS = 131_072;
const MOST_ROWS = 1_000_000_000;
const MOST_STEPS = 10_000_000;

/** Every field of a recipe, in the order of a form. */
export const RECIPE_FIELDS: { readonly [Field in keyof Recipe]: FieldInfo } = {
  version: {
    label: 'Version',
    group: 'model',
    usual: '1',
    about: 'The version of this description.',
    value: { kind: 'choice', choices: [RECIPE_VERSION] },
  },
  model: {
    label: 'Base model',
    group: 'model',
    usual: 'a folder of safetensors, a .gguf file, or a hub id',
    about: 'The model whose weights stay as they are while the adapter learns.',
    value: { kind: 'text', mayBeEmpty: false },
  },
  data_files: {
    label: 'Data files',
    group: 'data',
    usual: 'one file',
    about: 'The files that hold the rows: JSON, JSONL, CSV, TSV, Parquet or plain text.',
    value: { kind: 'texts' },
  },
  mapping: {
    label: 'Mapping',
    group: 'data',
    usual: 'a template such as {input}\\n{output}',
    about: 'Which columns become the prompt and the answer.',
    value: { kind: 'mapping' },
  },
  strategy: {
    label: 'Strategy',
    group: 'data',
    usual: 'line-by-line',
    about: 'Whether each row is a sequence, or rows are joined and cut into blocks of one length.',
    value: { kind: 'choice', choices: STRATEGIES },
  },
  loss_on: {
    label: 'Loss on',
    group: 'data',
    usual: 'answer',
    about: 'Whether the model learns to write the answer alone, or the prompt as well.',
    value: { kind: 'choice', choices: LOSS_ON },
  },
  max_seq_len: {
    label: 'Longest sequence',
    group: 'data',
    usual: '256 to 1024 tokens',
    about: 'Tokens of a block, or the length at which a row is cut off; memory grows with it.',
    value: { kind: 'integer', min: 2, max: MOST_TOKENS },
  },
  max_samples: {
    label: 'Most sequences',
    group: 'data',
    usual: 'all',
    about: 'Stops reading rows once there are so many sequences.',
    value: { kind: 'integer', min: 1, max: MOST_ROWS, nullMeans: 'all' },
  },
  add_special_tokens: {
    label: 'Special tokens around each row',
    group: 'data',
    usual: 'no',
    about: "Writes the beginning and end tokens around each row's text when loss is on all tokens, a space between, as Olive does.",
    value: { kind: 'boolean' },
  },
  joiner: {
    label: 'Joiner',
    group: 'data',
    usual: 'an empty line',
    about: 'The text between joined rows.',
    value: { kind: 'text', mayBeEmpty: true },
  },
  held_out: {
    label: 'Held out',
    group: 'data',
    usual: '0.05 to 0.2',
    about: 'The share of rows (or, from 1 on, their number) that are not trained on and measure what was learnt.',
    value: { kind: 'number', min: 0, max: MOST_ROWS },
  },
  stratify_by: {
    label: 'Hold out evenly by',
    group: 'data',
    usual: 'no column',
    about: 'The column of which each value keeps its share among the held-out rows, as a class or a language.',
    value: { kind: 'text', mayBeEmpty: false, nullMeans: 'no column' },
  },
  keep_duplicates_together: {
    label: 'Keep near-duplicates together',
    group: 'data',
    usual: 'yes',
    about: 'Puts rows that say almost the same on one side of the split, so that no held-out row was as good as trained on.',
    value: { kind: 'boolean' },
  },
  train_sampling_strategy: {
    label: 'Order of rows',
    group: 'data',
    usual: 'random',
    about: 'Whether rows are drawn in a new order each epoch, or taken as they stand in the file.',
    value: { kind: 'choice', choices: ['random', 'sequential'] },
  },
  method: {
    label: 'Method',
    group: 'adapter',
    usual: 'lora',
    about: 'How the model is changed: LoRA adds a product of two small matrices to each chosen linear.',
    value: { kind: 'choice', choices: ['lora'] },
  },
  lora_r: {
    label: 'Rank',
    group: 'adapter',
    usual: '8 to 64',
    about: "The inner size of the adapter's matrices: higher can hold more and takes more memory.",
    value: { kind: 'integer', min: 1, max: 1024 },
  },
  lora_alpha: {
    label: 'Alpha',
    group: 'adapter',
    usual: 'one or two times the rank',
    about: 'The adapter counts alpha / rank times.',
    value: { kind: 'number', min: 0, max: 65_536, open: 'min' },
  },
  lora_dropout: {
    label: 'Dropout',
    group: 'adapter',
    usual: '0 to 0.1',
    about: "The share of the adapter's inputs that is set to zero at random in training, against learning by heart.",
    value: { kind: 'number', min: 0, max: 1, open: 'max' },
  },
  target_modules: {
    label: 'Target modules',
    group: 'adapter',
    usual: 'all-linear',
    about: 'The linears that get an adapter, by the last part of their name.',
    value: { kind: 'modules', nullMeans: "PEFT's choice for the architecture" },
  },
  per_device_train_batch_size: {
    label: 'Batch size',
    group: 'steps',
    usual: '4 to 32 rows',
    about: 'Rows of one batch; the engine packs them into as few passes as memory allows.',
    value: { kind: 'integer', min: 1, max: 65_536 },
  },
  gradient_accumulation_steps: {
    label: 'Accumulation',
    group: 'steps',
    usual: '1',
    about: 'Batches whose gradients are added before the adapter moves once.',
    value: { kind: 'integer', min: 1, max: 65_536 },
  },
  max_steps: {
    label: 'Steps',
    group: 'steps',
    usual: 'by epochs',
    about: 'How many times the adapter moves; goes before epochs.',
    value: { kind: 'integer', min: 1, max: MOST_STEPS, nullMeans: 'by epochs' },
  },
  num_train_epochs: {
    label: 'Epochs',
    group: 'steps',
    usual: '1 to 5',
    about: 'How many times each row is seen, when the steps are not given.',
    value: { kind: 'number', min: 0, max: 100_000, open: 'min' },
  },
  learning_rate: {
    label: 'Learning rate',
    group: 'optimizer',
    usual: '1e-4 to 5e-4; up to 5e-3 for tiny models',
    about: 'How far the adapter moves a step, at the highest.',
    value: { kind: 'number', min: 0, max: 10 },
  },
  lr_scheduler_type: {
    label: 'Schedule',
    group: 'optimizer',
    usual: 'cosine',
    about: 'How the learning rate falls over the run; plain constant has no warmup.',
    value: { kind: 'choice', choices: ['constant', 'constant_with_warmup', 'linear', 'cosine'] },
  },
  warmup_steps: {
    label: 'Warmup steps',
    group: 'optimizer',
    usual: '0, with a warmup ratio',
    about: 'Steps over which the learning rate rises from zero; goes before the ratio.',
    value: { kind: 'integer', min: 0, max: MOST_STEPS },
  },
  warmup_ratio: {
    label: 'Warmup ratio',
    group: 'optimizer',
    usual: '0.03',
    about: 'The warmup as a share of all steps, where no number of steps is given.',
    value: { kind: 'number', min: 0, max: 1, open: 'max' },
  },
  weight_decay: {
    label: 'Weight decay',
    group: 'optimizer',
    usual: '0 to 0.1',
    about: 'How strongly AdamW draws the adapter towards zero.',
    value: { kind: 'number', min: 0, max: 10 },
  },
  adam_beta1: {
    label: 'Adam beta 1',
    group: 'optimizer',
    usual: '0.9',
    about: 'How long AdamW remembers gradients.',
    value: { kind: 'number', min: 0, max: 1, open: 'max' },
  },
  adam_beta2: {
    label: 'Adam beta 2',
    group: 'optimizer',
    usual: '0.999',
    about: 'How long AdamW remembers the size of gradients.',
    value: { kind: 'number', min: 0, max: 1, open: 'max' },
  },
  adam_epsilon: {
    label: 'Adam epsilon',
    group: 'optimizer',
    usual: '1e-8',
    about: 'What keeps AdamW from dividing by zero.',
    value: { kind: 'number', min: 0, max: 1, open: 'min' },
  },
  max_grad_norm: {
    label: 'Gradient clip',
    group: 'optimizer',
    usual: '1',
    about: 'Gradients longer than this are shortened to it; 0 leaves them.',
    value: { kind: 'number', min: 0, max: 1_000_000 },
  },
  gradient_checkpointing: {
    label: 'Recompute',
    group: 'optimizer',
    usual: 'no',
    about: 'Computes the activations of each block again instead of keeping them: the same numbers, less memory, about a third more time.',
    value: { kind: 'boolean' },
  },
  seed: {
    label: 'Seed',
    group: 'records',
    usual: '42',
    about: 'Draws the adapter, the split, the order and the dropout: the same seed on the same device gives the same run.',
    value: { kind: 'integer', min: 0, max: 4_294_967_295 },
  },
  logging_steps: {
    label: 'Log every',
    group: 'records',
    usual: '1 to 10 steps',
    about: 'Steps between two entries of the log.',
    value: { kind: 'integer', min: 1, max: MOST_STEPS },
  },
  eval_strategy: {
    label: 'Evaluate',
    group: 'records',
    usual: 'steps',
    about: 'When the held-out rows are measured: at the end alone, every so many steps, or after each epoch.',
    value: { kind: 'choice', choices: INTERVAL_STRATEGIES },
  },
  eval_steps: {
    label: 'Evaluate every',
    group: 'records',
    usual: 'ten times a run',
    about: 'Steps between two measurements on the held-out rows.',
    value: { kind: 'integer', min: 1, max: MOST_STEPS, nullMeans: 'ten times a run' },
  },
  per_device_eval_batch_size: {
    label: 'Evaluation batch',
    group: 'records',
    usual: '8 rows',
    about: 'Held-out rows whose losses are averaged together; the figure is the mean of these averages, as transformers has it.',
    value: { kind: 'integer', min: 1, max: 65_536 },
  },
  save_strategy: {
    label: 'Save',
    group: 'records',
    usual: 'steps',
    about: 'When a checkpoint is written: never, every so many steps, or after each epoch.',
    value: { kind: 'choice', choices: INTERVAL_STRATEGIES },
  },
  save_steps: {
    label: 'Save every',
    group: 'records',
    usual: 'by time',
    about: 'Steps between two checkpoints.',
    value: { kind: 'integer', min: 1, max: MOST_STEPS, nullMeans: 'by time, at most a twentieth of it' },
  },
  save_total_limit: {
    label: 'Checkpoints kept',
    group: 'records',
    usual: '2',
    about: 'Checkpoints that stay; the best and the last are never deleted.',
    value: { kind: 'integer', min: 1, max: 10_000, nullMeans: 'all' },
  },
  load_best_model_at_end: {
    label: 'Best at the end',
    group: 'records',
    usual: 'no',
    about: 'Ends with the adapter of the best evaluation instead of the last one.',
    value: { kind: 'boolean' },
  },
  metric_for_best_model: {
    label: 'Best by',
    group: 'records',
    usual: 'eval_loss',
    about: 'What is compared: the loss on held-out rows, or the share of their tokens that is predicted.',
    value: { kind: 'choice', choices: BEST_METRICS },
  },
  early_stopping_patience: {
    label: 'Stop early after',
    group: 'records',
    usual: '3 evaluations',
    about: 'Evaluations without an improvement after which the run ends by itself.',
    value: { kind: 'integer', min: 1, max: MOST_STEPS, nullMeans: 'never' },
  },
  early_stopping_threshold: {
    label: 'Improvement',
    group: 'records',
    usual: '0',
    about: 'How much better than the best an evaluation must be to count.',
    value: { kind: 'number', min: 0, max: 1_000_000 },
  },
};
