/** Checks a recipe that came from outside: every field, what was found, what was expected. Knows the schema, no other file. */
import { AppError, unreachable } from '#base/errors.ts';
import { type DataMapping, MAPPING_KINDS, mappingProblem, THINKING } from '#data/mapping.ts';
import { type FieldKind, RECIPE_FIELDS } from '#recipe/fields.ts';
import { type Recipe, type RecipeDefaults } from '#recipe/recipe.ts';

const NAME: FieldKind = { kind: 'text', mayBeEmpty: false };
const THINKING_FIELD: FieldKind = { kind: 'choice', choices: THINKING };

/** What is wrong with one field. `field` is `mapping.template` for a field of the mapping. */
export interface RecipeIssue {
  field: string;
  found: string;
  expected: string;
}

/** Everything that is wrong with a recipe; empty when it is one. */
export function recipeIssues(value: unknown): RecipeIssue[] {
  if (!isRecord(value)) return [{ field: 'recipe', found: shown(value), expected: 'an object' }];
  const issues: RecipeIssue[] = [];
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(RECIPE_FIELDS, key)) {
      issues.push({ field: key, found: 'an unknown field', expected: `one of ${Object.keys(RECIPE_FIELDS).join(', ')}` });
    }
  }
  for (const [field, info] of Object.entries(RECIPE_FIELDS)) {
    const held = Object.hasOwn(value, field) ? value[field] : undefined;
    if (info.value.kind === 'mapping') issues.push(...mappingIssues(held));
    else if (!fits(info.value, held)) issues.push({ field, found: shown(held), expected: expectedText(info.value) });
  }
  if (issues.length > 0) return issues;
  return crossIssues(value as unknown as Recipe);
}

/** What no field alone shows. */
function crossIssues(recipe: Recipe): RecipeIssue[] {
  const issues: RecipeIssue[] = [];
  const problem = mappingProblem({ mapping: recipe.mapping, strategy: recipe.strategy, loss: recipe.loss_on });
  if (problem !== null) issues.push({ field: 'mapping', ...problem });
  if (recipe.held_out >= 1 && !Number.isInteger(recipe.held_out)) {
    issues.push({ field: 'held_out', found: shown(recipe.held_out), expected: 'a share below 1, or a whole number of rows' });
  }
  if (recipe.early_stopping_patience !== null && recipe.eval_strategy === 'no') {
    issues.push({
      field: 'eval_strategy',
      found: '"no", with early_stopping_patience',
      expected: '"steps" or "epoch": what stops early is measured',
    });
  }
  if (recipe.load_best_model_at_end && recipe.eval_strategy === 'no') {
    issues.push({
      field: 'eval_strategy',
      found: '"no", with load_best_model_at_end',
      expected: '"steps" or "epoch": the best is found by measuring',
    });
  }
  return issues;
}

/**
 * A recipe from plain JSON.
 * @throws AppError `recipe/invalid` that lists every issue and details the first.
 */
export function validateRecipe(value: unknown): Recipe {
  const issues = recipeIssues(value);
  const first = issues[0];
  if (first !== undefined) {
    const lines = issues.map(({ field, found, expected }) => `${field}: ${found} was found, ${expected} was expected`);
    throw new AppError('recipe/invalid', `recipe: ${lines.join('; ')}`, { ...first });
  }
  return value as Recipe;
}

/** A recipe from what a user said, and `defaults` for what they did not. @throws AppError `recipe/invalid` */
export function completeRecipe(said: unknown, defaults: RecipeDefaults): Recipe {
  return validateRecipe(isRecord(said) ? { ...structuredClone(defaults), ...said } : said);
}

function fits(kind: FieldKind, value: unknown): boolean {
  switch (kind.kind) {
    case 'integer':
      return (value === null && kind.nullMeans !== undefined) || (Number.isInteger(value) && inRange(kind, value as number));
    case 'number':
      return typeof value === 'number' && inRange(kind, value);
    case 'choice':
      return (kind.choices as readonly unknown[]).includes(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'text':
      return (value === null && kind.nullMeans !== undefined) || (typeof value === 'string' && (kind.mayBeEmpty || value !== ''));
    case 'texts':
      return isListOfNames(value);
    case 'modules':
      return value === null || value === 'all-linear' || isListOfNames(value);
    case 'mapping':
      return mappingIssues(value).length === 0;
    default:
      return unreachable(kind);
  }
}

function inRange({ min, max, open }: { min: number; max: number; open?: 'min' | 'max' }, value: number): boolean {
  return (open === 'min' ? value > min : value >= min) && (open === 'max' ? value < max : value <= max);
}

/** What a field may hold, in words. */
export function expectedText(kind: FieldKind): string {
  switch (kind.kind) {
    case 'integer':
      return `a whole number from ${kind.min} to ${kind.max}${orNull(kind)}`;
    case 'number':
      return `a number ${kind.open === 'min' ? 'above' : 'from'} ${kind.min} ${kind.open === 'max' ? 'to below' : 'to'} ${kind.max}`;
    case 'choice':
      return kind.choices.map((choice) => JSON.stringify(choice)).join(' or ');
    case 'boolean':
      return 'true or false';
    case 'text':
      return `${kind.mayBeEmpty ? 'text' : 'text that is not empty'}${orNull(kind)}`;
    case 'texts':
      return 'a list of at least one name';
    case 'modules':
      return `a list of module names, "all-linear", or null (${kind.nullMeans})`;
    case 'mapping':
      return `an object whose kind is ${MAPPING_KINDS.map((name) => JSON.stringify(name)).join(' or ')}`;
    default:
      return unreachable(kind);
  }
}

function orNull({ nullMeans }: { nullMeans?: string }): string {
  return nullMeans === undefined ? '' : `, or null (${nullMeans})`;
}

/** The fields of each kind of mapping; a `?` is no part of the name. */
const MAPPING_FIELDS: { [Kind in DataMapping['kind']]: Readonly<Record<string, FieldKind>> } = {
  text: { column: NAME },
  template: { template: NAME },
  messages: { column: NAME, 'tools?': NAME, 'thinking?': THINKING_FIELD },
  'prompt-completion': { prompt: NAME, completion: NAME, 'thinking?': THINKING_FIELD },
  turns: {
    'system?': NAME,
    user: { kind: 'texts' },
    assistant: NAME,
    'plain?': { kind: 'boolean' },
    'thinking?': THINKING_FIELD,
  },
};

function mappingIssues(value: unknown): RecipeIssue[] {
  const kind = isRecord(value) ? MAPPING_KINDS.find((name) => name === value.kind) : undefined;
  if (!isRecord(value) || kind === undefined) {
    return [{ field: 'mapping', found: shown(value), expected: expectedText(RECIPE_FIELDS.mapping.value) }];
  }
  const fields = Object.entries(MAPPING_FIELDS[kind]).map(([key, info]) => ({
    name: key.replace('?', ''),
    isOptional: key.endsWith('?'),
    info,
  }));
  const names = fields.map(({ name }) => name);
  const unknown = Object.keys(value).filter((key) => key !== 'kind' && !names.includes(key));
  const bad = fields.filter(({ name, isOptional, info }) => !(isOptional && value[name] === undefined) && !fits(info, value[name]));
  return [
    ...unknown.map((key) => ({ field: `mapping.${key}`, found: 'an unknown field', expected: `one of kind, ${names.join(', ')}` })),
    ...bad.map(({ name, info }) => ({ field: `mapping.${name}`, found: shown(value[name]), expected: expectedText(info) })),
  ];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOfNames(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string' && item !== '');
}

/** Past this a value is too long to be repeated in a message. */
const SHOWN_CHARACTERS = 80;

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
