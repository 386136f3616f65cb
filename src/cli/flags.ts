/** The flags of `loratory finetune`: Olive's, transformers' and our own, turned into a recipe. Opens no file. */
import { parseArgs } from 'node:util';
import { AppError } from '#base/errors.ts';
import type { DataMapping } from '#data/mapping.ts';
import { type SplitSlice, parseSplit } from '#data/split-syntax.ts';
import { unescapeFlag } from '#data/template.ts';
import { type FieldInfo, type FieldKind, RECIPE_FIELDS } from '#recipe/fields.ts';
import { nearestName } from '#recipe/nearest-name.ts';
import { OLIVE_DEFAULTS, OLIVE_TEXT_FIELD } from '#recipe/olive.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { completeRecipe, expectedText } from '#recipe/validate.ts';
import { parseHubId } from '#storage/hub.ts';

export interface FinetuneFlags {
  recipe: Recipe;
  /** The fields that a flag or the recipe's file set: of the others a run that goes on from a checkpoint takes what that one has. */
  said: Partial<Recipe>;
  model: string;
  /** Of a hub's repository that has several. */
  ggufFile: string | null;
  /** Goes to the hub alone: into no recipe, checkpoint or adapter. */
  hubToken: string | null;
  /** None where the rows are a hub's. */
  dataFiles: string[];
  hubRows: HubRows | null;
  trainSplit: SplitSlice[];
  /** Rows of the data files that are measured; null: none, or those that the recipe's `held_out` draws. */
  evalSplit: SplitSlice[] | null;
  /** Rows to evaluate on, in a file of their own. */
  evalFiles: string[];
  output: string;
  adapterPath: string | null;
  /** `true`, or a checkpoint's folder; null: from the start. */
  resume: string | null;
  isDryRun: boolean;
}

/** Rows of a hub's dataset. */
export interface HubRows {
  id: string;
  subset: string | null;
  split: string;
  evalSubset: string | null;
  /** A split of its own whose rows are measured; null: none, or `FinetuneFlags.evalSplit` of the same. */
  evalSplit: string | null;
}

/** Fields of the recipe that a flag of the same name sets. */
export const RECIPE_FLAGS = [
  'strategy',
  'max_seq_len',
  'max_samples',
  'add_special_tokens',
  'joiner',
  'stratify_by',
  'keep_duplicates_together',
  'train_sampling_strategy',
  'method',
  'lora_r',
  'lora_alpha',
  'lora_dropout',
  'target_modules',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'max_steps',
  'num_train_epochs',
  'learning_rate',
  'lr_scheduler_type',
  'warmup_steps',
  'warmup_ratio',
  'weight_decay',
  'adam_beta1',
  'adam_beta2',
  'adam_epsilon',
  'max_grad_norm',
  'gradient_checkpointing',
  'seed',
  'logging_steps',
  'eval_strategy',
  'eval_steps',
  'per_device_eval_batch_size',
  'save_strategy',
  'save_steps',
  'save_total_limit',
  'load_best_model_at_end',
  'metric_for_best_model',
  'early_stopping_patience',
  'early_stopping_threshold',
] as const satisfies readonly (keyof Recipe)[];

/** What Olive's and transformers' users type, where our field has another name. */
export const ALIASES: Record<string, (typeof RECIPE_FLAGS)[number]> = { r: 'lora_r', alpha: 'lora_alpha', max_length: 'max_seq_len' };

export const OTHER_FLAGS = {
  model_name_or_path: { type: 'string', short: 'm' },
  gguf_file: { type: 'string' },
  hub_token: { type: 'string' },
  output_path: { type: 'string', short: 'o' },
  recipe: { type: 'string' },
  data_name: { type: 'string', short: 'd' },
  data_files: { type: 'string' },
  train_subset: { type: 'string' },
  train_split: { type: 'string' },
  eval_subset: { type: 'string' },
  eval_split: { type: 'string' },
  eval_files: { type: 'string' },
  text_template: { type: 'string' },
  text_field: { type: 'string' },
  use_chat_template: { type: 'boolean' },
  completion_only_loss: { type: 'string' },
  adapter_path: { type: 'string' },
  resume_from_checkpoint: { type: 'string' },
  torch_dtype: { type: 'string' },
  optim: { type: 'string' },
  use_cpu: { type: 'string' },
  dry_run: { type: 'boolean' },
} as const;

export const FINETUNE_HELP = `loratory finetune: trains a LoRA adapter and writes it as PEFT does.

  -m, --model_name_or_path PATH    a folder of safetensors, a .gguf file, or a hub's model: org/name, org/name@revision
      --gguf_file NAME             this GGUF of the hub's model, instead of its safetensors
      --hub_token TOKEN            for gated models (default: HF_TOKEN); HF_ENDPOINT is the hub, LORATORY_HOME the cache
  -d, --data_name json | org/name  json or csv for files, as Olive has it, or a hub's dataset
      --data_files A[,B]           rows to train on
      --recipe FILE.yaml           settings as the page keeps them; flags go before what it says
      --train_subset NAME          the hub dataset's configuration; --eval_subset, where another is measured
      --train_split SPLIT          which of them, as the datasets library has it: train[:80%] (default: train, all)
      --eval_split SPLIT           rows that are measured: train[80%:]; or 0.1, or 50: so many are drawn and not trained on
      --eval_files A[,B]           rows that are measured, in files of their own
  -o, --output_path FOLDER         gets adapter/, trainer_state.json and checkpoint-N/ (default: out)

  rows     --text_template "### {input}\\n{output}" | --text_field COLUMN | --use_chat_template
           --completion_only_loss true   rows have prompt and completion, as TRL's; loss on the completion (false: on all)
  more     --adapter_path FOLDER         go on from this PEFT adapter: its r, alpha, dropout and targets hold
           --resume_from_checkpoint true | out/checkpoint-N   go on from a checkpoint, with the same bits and its settings
           --dry_run                     the plan: bytes by purpose and steps; nothing runs

${RECIPE_FLAGS.map(describeFlag).join('\n')}

With Olive's flags alone it does what Olive does, with Olive's defaults.
`;

function describeFlag(name: (typeof RECIPE_FLAGS)[number]): string {
  const field: FieldInfo = RECIPE_FIELDS[name];
  return `      --${name.padEnd(30)} ${field.about} (default: ${defaultText(name)})`;
}

/** A field's default as one would type it, or what it stands for. */
export function defaultText(name: (typeof RECIPE_FLAGS)[number]): string {
  const value: unknown = OLIVE_DEFAULTS[name];
  const kind: FieldKind = RECIPE_FIELDS[name].value;
  if (value === null) return 'nullMeans' in kind && kind.nullMeans !== undefined ? kind.nullMeans : 'none';
  return typeof value === 'string' ? value.replaceAll('\n', '\\n') : JSON.stringify(value);
}

function refuse(flag: string, found: string, expected: string): AppError {
  return new AppError('recipe/invalid', `--${flag}: ${found} was found, ${expected} was expected`, { field: flag, found, expected });
}

function unknownFlag(found: string, known: readonly string[]): AppError {
  const name = found.replace(/^-+/, '').replaceAll('-', '_');
  const nearest = nearestName(name, known);
  const expected = nearest === null ? 'a flag of loratory finetune --help' : `--${nearest}`;
  return new AppError('recipe/invalid', `${found}: an unknown flag was found, ${expected} was expected`, { field: name, found, expected });
}

function isFlag(text: string, options: Record<string, { short?: string }>): boolean {
  const isShort = Object.values(options).some(({ short }) => short !== undefined && text === `-${short}`);
  return isShort || (text.startsWith('--') && Object.hasOwn(options, text.slice(2)));
}

/** The flags as they were typed. A value may start with a dash, as in `--max_samples -1`; of a flag that is given twice the last holds. */
function readFlags(args: string[]): Record<string, string | boolean | undefined> {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = { ...OTHER_FLAGS };
  for (const name of [...RECIPE_FLAGS, ...Object.keys(ALIASES)]) options[name] = { type: 'string' };
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const values: Record<string, string | boolean | undefined> = {};
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      const [found, expected] = [JSON.stringify(token.value), 'a flag'];
      throw new AppError('recipe/invalid', `${found} was found, ${expected} was expected; a value with spaces wants quotes`, {
        found,
        expected,
      });
    }
    const { name, rawName, value } = token;
    if (!Object.hasOwn(options, name)) throw unknownFlag(rawName, Object.keys(options));
    if (options[name].type === 'boolean') values[name] = value === undefined || parseBoolean(name, value);
    else if (value === undefined) throw refuse(name, 'nothing', 'a value');
    else if (!token.inlineValue && isFlag(value, options)) throw refuse(name, `the next flag, ${value},`, 'a value');
    else values[name] = value;
  }
  return values;
}

/** The file that `--recipe` names, or null. @throws AppError `recipe/invalid` */
export function recipePath(args: string[]): string | null {
  const { recipe } = readFlags(args);
  return typeof recipe === 'string' ? recipe : null;
}

/**
 * @param fromFile what the recipe's file says: flags go before it
 * @throws AppError `recipe/invalid` naming the flag, what was found and what was expected.
 */
export function parseFinetuneFlags(args: string[], fromFile: Partial<Recipe> = {}): FinetuneFlags {
  const values = readFlags(args);
  const text = (name: keyof typeof OTHER_FLAGS): string | null => (typeof values[name] === 'string' ? values[name] : null);
  const isTrue = (name: keyof typeof OTHER_FLAGS): boolean =>
    values[name] === true || (typeof values[name] === 'string' && parseBoolean(name, values[name]));
  const required = <Value>(name: 'model_name_or_path' | 'data_files', short: string, value: Value | undefined | '' | null): Value => {
    if (value === undefined || value === '' || value === null) throw refuse(name, 'nothing', `a path (or ${short})`);
    return value;
  };
  checkNames(values);
  const model = required('model_name_or_path', '-m', text('model_name_or_path') ?? fromFile.model);
  const filesText = text('data_files');
  const dataset = hubDataset(text('data_name'), filesText);
  const named = filesText === '' ? '' : (filesText?.split(',') ?? fromFile.data_files);
  const dataFiles = dataset === null ? required('data_files', '--data_files', named) : [];
  const evalFiles = text('eval_files')?.split(',') ?? [];
  const measured = measuredRows(text('eval_split'), evalFiles, dataset !== null);
  const trainSplit = splitOf('train_split', text('train_split') ?? 'train', dataset !== null);
  const [subset, evalSubset] = [text('train_subset'), text('eval_subset') ?? text('train_subset')];
  if (dataset === null && (subset ?? evalSubset) !== null) throw refuse('train_subset', 'a subset', 'a hub dataset by -d org/name');
  const isOther = measured.split !== null && (measured.split[0].name !== trainSplit[0].name || subset !== evalSubset);
  const hubRows: HubRows | null =
    dataset === null
      ? null
      : {
          id: dataset,
          subset,
          split: trainSplit.map((slice) => slice.text).join('+'),
          evalSubset,
          evalSplit: isOther ? text('eval_split') : null,
        };
  const typed: Partial<Recipe> = { ...mappingOf(values), ...measured.fields };
  for (const [flag, value] of Object.entries(values)) {
    const field = ALIASES[flag] ?? RECIPE_FLAGS.find((name) => name === flag);
    if (field && typeof value === 'string') Object.assign(typed, { [field]: parseField(flag, RECIPE_FIELDS[field], value) });
  }
  // A number of steps says that they are counted.
  if (typeof typed.eval_steps === 'number') typed.eval_strategy ??= 'steps';
  const said: Partial<Recipe> = { ...fromFile, ...typed, model, data_files: dataset === null ? dataFiles : [dataset] };
  const mapping: DataMapping = { kind: 'text', column: OLIVE_TEXT_FIELD };
  return {
    recipe: completeRecipe({ mapping, ...said }, OLIVE_DEFAULTS),
    said,
    model,
    ggufFile: text('gguf_file'),
    hubToken: text('hub_token'),
    dataFiles,
    hubRows,
    trainSplit,
    evalSplit: isOther ? null : measured.split,
    evalFiles,
    output: text('output_path') ?? 'out',
    adapterPath: text('adapter_path'),
    resume: text('resume_from_checkpoint'),
    isDryRun: isTrue('dry_run'),
  };
}

/** What Olive wants said of local files. */
const LOCAL_FORMATS = ['json', 'csv'];
/** The names that `datasets` has for the rows of local files. */
const LOCAL_SPLITS = ['train', 'all'];

/** A dataset's id on the hub, or null for files. A bare name is none: datasets have owners. */
function hubDataset(name: string | null, files: string | null): string | null {
  if (name === null || LOCAL_FORMATS.includes(name)) return null;
  const ref = parseHubId(name);
  if (ref === null || ref.revision !== null || !name.includes('/')) {
    throw refuse('data_name', name, `${LOCAL_FORMATS.join(' or ')}, or a hub's dataset as org/name`);
  }
  if (files !== null) throw refuse('data_files', `${files} with -d ${name}`, 'one of the two');
  return name;
}

function splitOf(flag: string, text: string, isHub: boolean): SplitSlice[] {
  const slices = parseSplit(text);
  if ('found' in slices) throw refuse(flag, slices.found, slices.expected);
  if (isHub && slices.some(({ name }) => name !== slices[0].name)) throw refuse(flag, text, 'parts of one split');
  const unknown = isHub ? undefined : slices.find(({ name }) => !LOCAL_SPLITS.includes(name));
  if (unknown) throw refuse(flag, `the split ${unknown.name}`, 'train, as the rows of local files are one split');
  return slices;
}

/** `--eval_split` and `--eval_files`: rows of the data files, a number of them that is drawn, or files of their own. */
function measuredRows(
  text: string | null,
  evalFiles: readonly string[],
  isHub: boolean,
): { split: SplitSlice[] | null; fields: Partial<Recipe> } {
  // Olive's own default is the empty text.
  if (text === null || text === '') return { split: null, fields: evalFiles.length > 0 ? { held_out: 0 } : {} };
  if (evalFiles.length > 0) throw refuse('eval_split', `${text}, with --eval_files,`, 'one of the two');
  if (!/^[-+.\d]/.test(text)) return { split: splitOf('eval_split', text, isHub), fields: { held_out: 0 } };
  const count = Number(text);
  const isShare = count > 0 && count < 1;
  // 1.0 may have been meant as a share.
  const isNumber = /^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count);
  const expected = 'a share below 1 as 0.1, a whole number of rows as 50, or a split as train[80%:]';
  if (!isShare && !isNumber) throw refuse('eval_split', text, expected);
  return { split: null, fields: { held_out: count } };
}

/** Flags whose only accepted values are those that say what is done anyway. */
function checkNames(values: Record<string, string | boolean | undefined>): void {
  const only = (flag: string, accepted: readonly string[]) => {
    const value = values[flag];
    if (typeof value === 'string' && !accepted.includes(value)) throw refuse(flag, value, accepted.join(' or '));
  };
  only('torch_dtype', ['float32']);
  only('optim', ['adamw_torch', 'adamw']);
}

function mappingOf(values: Record<string, string | boolean | undefined>): Partial<Recipe> {
  const { text_template: template, text_field: column, use_chat_template: isChat, completion_only_loss: completionOnly } = values;
  const given = [typeof template === 'string', typeof column === 'string', isChat === true, typeof completionOnly === 'string'].filter(
    Boolean,
  );
  if (given.length > 1) {
    throw refuse('text_template', 'more than one of text_template, text_field, use_chat_template, completion_only_loss', 'one of them');
  }
  if (typeof completionOnly === 'string') {
    const mapping: DataMapping = { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' };
    return { mapping, strategy: 'line-by-line', loss_on: parseBoolean('completion_only_loss', completionOnly) ? 'answer' : 'all' };
  }
  if (typeof template === 'string') return { mapping: { kind: 'template', template: unescapeFlag(template) } };
  if (isChat === true) return { mapping: { kind: 'messages', column: 'messages' } };
  return typeof column === 'string' ? { mapping: { kind: 'text', column } } : {};
}

function parseBoolean(flag: string, value: string): boolean {
  if (/^true$/i.test(value) || value === '1') return true;
  if (/^false$/i.test(value) || value === '0') return false;
  throw refuse(flag, value, 'true or false');
}

function parseField(flag: string, field: FieldInfo, value: string): unknown {
  const { value: kind } = field;
  switch (kind.kind) {
    case 'integer':
    case 'number': {
      if ('nullMeans' in kind && kind.nullMeans !== undefined && ['none', 'all', '-1'].includes(value.toLowerCase())) return null;
      const number = Number(value);
      if (value.trim() === '' || Number.isNaN(number)) throw refuse(flag, value, expectedText(kind));
      return number;
    }
    case 'boolean':
      return parseBoolean(flag, value);
    case 'modules':
      return value === 'all-linear' ? value : value.split(',');
    case 'text':
      return unescapeFlag(value);
    default:
      return value;
  }
}
