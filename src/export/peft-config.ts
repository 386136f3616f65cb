/** PEFT's adapter_config.json for LoRA, written and read. Knows no tensor. */
import { AppError } from '#base/errors.ts';
import { describeJson, parseJsonObject, type JsonValue } from '#formats/json-text.ts';

/** PEFT's LoraConfig, as far as it is supported. */
export interface PeftConfig {
  /** `base_model_name_or_path` */
  baseModel: string | null;
  r: number;
  loraAlpha: number;
  loraDropout: number;
  /** Ends of module names, or a regular expression for whole ones. */
  targetModules: string[] | string;
  useRslora: boolean;
  /** Regular expressions for ends of module names, and the rank or alpha of the modules that they match. */
  rankPattern: Record<string, number>;
  alphaPattern: Record<string, number>;
}

const FILE = 'adapter_config.json';
/** The release whose layout is written. */
const PEFT_VERSION = '0.21.2';
/** Ranks past this are wider than the linears they adapt. */
const MAX_RANK = 65_536;

/** What PEFT writes for the fields that nothing here sets. @source peft.LoraConfig of that release, `to_dict` */
const FIXED_FIELDS: Readonly<Record<string, JsonValue>> = {
  alora_invocation_tokens: null,
  arrow_config: null,
  auto_mapping: null,
  bias: 'none',
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  exclude_modules: null,
  fan_in_fan_out: false,
  inference_mode: true,
  init_lora_weights: true,
  kasa_config: null,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  loftq_config: {},
  lora_bias: false,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: 'megatron.core',
  modules_to_save: null,
  monteclora_config: null,
  peft_type: 'LORA',
  peft_version: PEFT_VERSION,
  qalora_group_size: 16,
  revision: null,
  target_parameters: null,
  task_type: 'CAUSAL_LM',
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  velora_config: null,
};

/** Fields that say nothing about the trained tensors: how PEFT ran, and settings of ways to start that `init_lora_weights` names. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set([
  'auto_mapping',
  'corda_config',
  'ensure_weight_tying',
  'eva_config',
  'inference_mode',
  'loftq_config',
  'lora_ga_config',
  'megatron_core',
  'peft_version',
  'qalora_group_size',
  'revision',
]);

/** Ways to start that leave the base model's weights as they are; the others train against a changed base. */
const PLAIN_STARTS: ReadonlySet<JsonValue> = new Set([true, false, null, 'gaussian', 'eva', 'orthogonal']);

/** Python's `json.dumps` writes ASCII alone. */
function asciiJson(value: JsonValue, indent: number): string {
  const json = JSON.stringify(value, null, 2).replaceAll('\n', `\n${' '.repeat(indent)}`);
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * adapter_config.json as PEFT writes it: keys sorted, two spaces, `lora_dropout` a Python float. Patterns keep their order, which PEFT
 * sorts too: the first that matches a module counts.
 */
export function peftConfigText(config: PeftConfig): string {
  const targets = config.targetModules;
  const fields: Record<string, JsonValue> = {
    ...FIXED_FIELDS,
    base_model_name_or_path: config.baseModel,
    r: config.r,
    lora_alpha: config.loraAlpha,
    lora_dropout: config.loraDropout,
    target_modules: typeof targets === 'string' ? targets : [...targets].sort(),
    use_rslora: config.useRslora,
    rank_pattern: config.rankPattern,
    alpha_pattern: config.alphaPattern,
  };
  const lines = Object.keys(fields)
    .sort()
    .map((key) => {
      const isWholeFloat = key === 'lora_dropout' && Number.isInteger(config.loraDropout);
      return `  "${key}": ${asciiJson(fields[key], 2)}${isWholeFloat ? '.0' : ''}`;
    });
  return `{\n${lines.join(',\n')}\n}`;
}

function invalid(field: string, found: JsonValue | undefined, expected: string): AppError {
  const message = `${FILE}: ${field} is ${describeJson(found)}, ${expected} was expected`;
  return new AppError('format/invalid', message, { file: FILE, field, found: describeJson(found), expected });
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Refuses what changes the meaning of the tensors: a field that is neither known to be harmless nor empty. */
function checkFixedFields(fields: Record<string, JsonValue>, known: ReadonlySet<string>): void {
  const unsupported = (key: string, expected: string) => {
    const found = describeJson(fields[key]);
    return new AppError('format/unsupported', `${FILE}: ${key} is ${found}, ${expected} was expected`, {
      file: FILE,
      field: key,
      found,
      expected,
    });
  };
  if (fields.peft_type !== 'LORA') throw unsupported('peft_type', '"LORA"');
  if (fields.task_type !== undefined && fields.task_type !== null && fields.task_type !== 'CAUSAL_LM')
    throw unsupported('task_type', '"CAUSAL_LM"');
  for (const [key, value] of Object.entries(fields)) {
    if (known.has(key) || WITHOUT_MEANING.has(key) || key === 'peft_type' || key === 'task_type') continue;
    if (key === 'init_lora_weights') {
      if (!PLAIN_STARTS.has(value)) throw unsupported(key, 'a start that leaves the base model as it is');
    } else if (!isEmpty(value) && value !== FIXED_FIELDS[key]) {
      throw unsupported(key, JSON.stringify(FIXED_FIELDS[key] ?? null));
    }
  }
}

function readPatterns(field: string, value: JsonValue | undefined, isValue: (number: JsonValue) => boolean): Record<string, number> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw invalid(field, value, 'an object of numbers');
  for (const [pattern, number] of Object.entries(value)) {
    if (!isValue(number)) throw invalid(`${field}.${pattern}`, number, 'a positive number');
    checkPattern(field, pattern);
  }
  return value as Record<string, number>;
}

/** PEFT's patterns are Python's; what JavaScript cannot compile is told now and not at the first use. */
function checkPattern(field: string, pattern: string): void {
  try {
    new RegExp(`^(?:${pattern})$`).test('');
  } catch (error) {
    throw new AppError(
      'format/unsupported',
      `${FILE}: ${field} has the pattern ${pattern}, which cannot be read here`,
      { file: FILE, field },
      error,
    );
  }
}

function readTargets(value: JsonValue | undefined): string[] | string {
  if (typeof value === 'string' && value !== '') {
    checkPattern('target_modules', value);
    return value;
  }
  if (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '')) return value as string[];
  throw invalid('target_modules', value, 'a list of module names or a regular expression');
}

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'base_model_name_or_path',
  'r',
  'lora_alpha',
  'lora_dropout',
  'target_modules',
  'use_rslora',
  'rank_pattern',
  'alpha_pattern',
]);

/**
 * The settings in an adapter_config.json of any PEFT release.
 * @throws AppError `format/invalid` for a broken file or value, `format/unsupported` for DoRA and all else that is not plain LoRA.
 */
export function parsePeftConfig(text: string): PeftConfig {
  const fields = parseJsonObject(FILE, text, 'format/invalid');
  checkFixedFields(fields, KNOWN_FIELDS);
  const isRank = (value: JsonValue | undefined) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_RANK;
  const isAlpha = (value: JsonValue | undefined) => typeof value === 'number' && Number.isFinite(value) && value > 0;
  const { r, lora_alpha: alpha, lora_dropout: dropout = 0, base_model_name_or_path: base = null, use_rslora: rslora = false } = fields;
  if (!isRank(r)) throw invalid('r', r, `a whole number from 1 to ${MAX_RANK}`);
  if (!isAlpha(alpha)) throw invalid('lora_alpha', alpha, 'a number above 0');
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout < 1)) throw invalid('lora_dropout', dropout, 'a number from 0 to below 1');
  if (base !== null && typeof base !== 'string') throw invalid('base_model_name_or_path', base, 'a name or null');
  if (typeof rslora !== 'boolean') throw invalid('use_rslora', rslora, 'true or false');
  return {
    baseModel: base,
    r: r as number,
    loraAlpha: alpha as number,
    loraDropout: dropout,
    targetModules: readTargets(fields.target_modules),
    useRslora: rslora,
    rankPattern: readPatterns('rank_pattern', fields.rank_pattern, isRank),
    alphaPattern: readPatterns('alpha_pattern', fields.alpha_pattern, isAlpha),
  };
}
