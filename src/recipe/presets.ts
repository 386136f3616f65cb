/** Settings to begin with, by the size of the model and the number of rows, and four ways to change them. Knows numbers, no model and no rows. */
import { heldOutCount } from '#data/split.ts';
import { DEFAULTS, type Recipe, type RecipeDefaults } from '#recipe/recipe.ts';
import { planSteps } from '#recipe/steps.ts';

/** What the settings are for; null: not known yet. */
export interface Surroundings {
  parameterCount: number | null;
  rowCount: number | null;
  /** Rows to measure on come in a file of their own. */
  hasHeldOutFile: boolean;
}

/** Highest parameter count of a class of sizes, and the usual peak rate there, by method. docs/RECIPE.md says why. */
const RATES: { readonly [Method in Recipe['method']]: readonly (readonly [below: number, rate: number])[] } = {
  lora: [
    [10e6, 5e-3],
    [500e6, 5e-4],
    [Infinity, 2e-4],
  ],
};

/** The peak learning rate for a method and a size; null: the model is not known yet. */
export function usualRate(method: Recipe['method'], parameterCount: number | null): number {
  if (parameterCount === null) return DEFAULTS.learning_rate;
  return RATES[method].find(([below]) => parameterCount < below)?.[1] ?? DEFAULTS.learning_rate;
}

/** Below a tenth of the usual rate little is learnt in the usual steps; far above it the loss does not fall. */
const LEAST_OF_USUAL = 1 / 10;
const MOST_OF_USUAL = 4;

/** Whether a rate lies far from what is usual for this method and size. 0 is a wish: nothing is to be learnt. */
export function unusualRate(
  { learning_rate: rate, method }: Pick<Recipe, 'learning_rate' | 'method'>,
  parameterCount: number | null,
): { kind: 'low' | 'high'; usual: number } | null {
  if (parameterCount === null || rate === 0) return null;
  const usual = usualRate(method, parameterCount);
  if (rate < usual * LEAST_OF_USUAL) return { kind: 'low', usual };
  return rate > usual * MOST_OF_USUAL ? { kind: 'high', usual } : null;
}

const BATCH = 8;
const SMALL_BATCH = 4;
const FEW_ROWS = 200;
/** Optimizer steps that the epochs are to make, and the most epochs for it. */
const ENOUGH_STEPS = 100;
const MOST_EPOCHS = 20;
const HELD_OUT_SHARE = 0.1;
const HELD_OUT_ROWS = 20;
/** Of very few rows the most are to be learnt from. */
const MOST_HELD_OUT = 1 / 4;

/** A tenth of the rows, and at least 20, but no more than a quarter. As the recipe has it: a share below 1, else a number of rows. */
function heldOutFor({ rowCount, hasHeldOutFile }: Surroundings): number {
  if (hasHeldOutFile) return 0;
  if (rowCount === null || rowCount * HELD_OUT_SHARE >= HELD_OUT_ROWS) return HELD_OUT_SHARE;
  return Math.min(HELD_OUT_ROWS, Math.floor(rowCount * MOST_HELD_OUT));
}

/** Rows that are trained on. */
function trainedRows({ rowCount, hasHeldOutFile }: Surroundings, heldOut: number): number | null {
  if (rowCount === null) return null;
  return Math.max(1, hasHeldOutFile ? rowCount : rowCount - heldOutCount(rowCount, heldOut));
}

/** The defaults for a model and rows: DEFAULTS with the rate, the batch, the epochs and the held-out rows that suit them. */
export function defaultsFor(surroundings: Surroundings): RecipeDefaults {
  const { parameterCount, rowCount } = surroundings;
  const heldOut = heldOutFor(surroundings);
  const rows = trainedRows(surroundings, heldOut);
  const batch = rowCount !== null && rowCount < FEW_ROWS ? SMALL_BATCH : BATCH;
  const rowsPerStep = batch * DEFAULTS.gradient_accumulation_steps;
  return {
    ...DEFAULTS,
    learning_rate: usualRate(DEFAULTS.method, parameterCount),
    per_device_train_batch_size: batch,
    held_out: heldOut,
    num_train_epochs:
      rows === null ? DEFAULTS.num_train_epochs : Math.min(MOST_EPOCHS, Math.ceil(ENOUGH_STEPS / Math.ceil(rows / rowsPerStep))),
  };
}

export const PRESETS = ['quick', 'balanced', 'thorough', 'least-memory'] as const;
export type Preset = (typeof PRESETS)[number];

/** What presets say something of; they leave the rest as it is. */
export const PRESET_FIELDS = [
  'lora_r',
  'lora_alpha',
  'lora_dropout',
  'max_steps',
  'num_train_epochs',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'gradient_checkpointing',
  'eval_strategy',
  'load_best_model_at_end',
  'early_stopping_patience',
] as const satisfies readonly (keyof RecipeDefaults)[];
export type PresetFields = Pick<RecipeDefaults, (typeof PRESET_FIELDS)[number]>;

/** Steps after which a curve says whether anything is learnt at all. */
const QUICK_STEPS = 60;
const THOROUGH_TIMES = 3;
const THOROUGH_DROPOUT = 0.05;

/** Every field that presets speak of, as one of them has it. `base`: the recipe before anyone changed it, which is `balanced`. */
export function presetFields(preset: Preset, base: PresetFields, surroundings: Surroundings): PresetFields {
  const plain = Object.fromEntries(PRESET_FIELDS.map((field) => [field, base[field]])) as unknown as PresetFields;
  switch (preset) {
    case 'balanced':
      return plain;
    case 'quick':
      return {
        ...plain,
        ...halved(base),
        max_steps: Math.min(QUICK_STEPS, stepsOf(base, surroundings) ?? QUICK_STEPS),
        eval_strategy: 'no',
        load_best_model_at_end: false,
        early_stopping_patience: null,
      };
    case 'thorough':
      return {
        ...plain,
        lora_r: base.lora_r * 2,
        lora_alpha: base.lora_alpha * 2,
        lora_dropout: Math.max(THOROUGH_DROPOUT, base.lora_dropout),
        max_steps: base.max_steps === null ? null : base.max_steps * THOROUGH_TIMES,
        num_train_epochs: Math.max(base.num_train_epochs, Math.min(MOST_EPOCHS, base.num_train_epochs * THOROUGH_TIMES)),
        eval_strategy: base.eval_strategy === 'no' ? 'steps' : base.eval_strategy,
        load_best_model_at_end: true,
      };
    case 'least-memory':
      return {
        ...plain,
        ...halved(base),
        per_device_train_batch_size: 1,
        gradient_accumulation_steps: base.per_device_train_batch_size * base.gradient_accumulation_steps,
        gradient_checkpointing: true,
      };
    default:
      return preset satisfies never;
  }
}

/** Half the rank with half the alpha: the adapter counts as much. */
function halved({ lora_r: rank, lora_alpha: alpha }: PresetFields): Pick<PresetFields, 'lora_r' | 'lora_alpha'> {
  return rank < 2 ? { lora_r: rank, lora_alpha: alpha } : { lora_r: Math.floor(rank / 2), lora_alpha: alpha / 2 };
}

function stepsOf(base: PresetFields, surroundings: Surroundings): number | null {
  if (base.max_steps !== null) return base.max_steps;
  const rows = trainedRows(surroundings, heldOutFor(surroundings));
  return rows === null ? null : stepCount({ ...DEFAULTS, ...base }, rows).steps;
}

/** Below so many steps an adapter has hardly begun to learn. */
const FEW_STEPS = 60;

export interface StepCount {
  sequences: number;
  epochs: number;
  rowsPerStep: number;
  steps: number;
  isFew: boolean;
}

/** What makes the steps of a run: "200 rows x 4 epochs, 8 a step = 100 steps", and whether they are too few to learn from. */
export function stepCount(recipe: Parameters<typeof planSteps>[0], sequences: number): StepCount {
  const { totalSteps: steps, rowsPerStep, epochs } = planSteps(recipe, sequences);
  return { sequences, epochs, rowsPerStep, steps, isFew: steps < FEW_STEPS };
}

/** The preset that the values are, if any. */
export function presetOf(values: Readonly<Record<string, unknown>>, base: PresetFields, surroundings: Surroundings): Preset | null {
  const isAt = (preset: Preset): boolean => {
    const fields = presetFields(preset, base, surroundings);
    return PRESET_FIELDS.every((field) => values[field] === fields[field]);
  };
  // With few rows two of them may be the same: the plain one comes first.
  return (['balanced', 'quick', 'thorough', 'least-memory'] as const).find(isAt) ?? null;
}
