/** The recipe as a file: YAML with a comment for each field, and back with the line of whatever is wrong. Opens no file. */
import type { Document, LineCounter, Node, Pair } from 'yaml';
import { type FieldGroup, RECIPE_FIELDS } from '#recipe/fields.ts';
import { nearestName } from '#recipe/nearest-name.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { type RecipeIssue, recipeIssues } from '#recipe/validate.ts';

const HEADING = ` A recipe of Loratory: what is trained, on what, and how. The page opens it on Recipe; on the command line
 loratory finetune --recipe this.yaml reads it, and flags go before what it says.`;

const GROUPS: { readonly [Group in FieldGroup]: string } = {
  model: 'Model',
  data: 'Data',
  adapter: 'Adapter',
  steps: 'Steps',
  optimizer: 'Optimizer',
  records: 'Evaluation, checkpoints and records',
};

/** The reader and writer is a library that only those need who open or keep a file. */
const library = () => import('yaml');
type Library = Awaited<ReturnType<typeof library>>;

/** Every field in the order of the form, by groups, each with what it does. */
export async function recipeToYaml(recipe: Recipe): Promise<string> {
  const { Document: YamlDocument, isMap, isScalar } = await library();
  const fields = Object.keys(RECIPE_FIELDS) as (keyof Recipe)[];
  const document = new YamlDocument(Object.fromEntries(fields.map((field) => [field, recipe[field]])));
  document.commentBefore = HEADING;
  let group: FieldGroup | null = null;
  for (const { key } of isMap(document.contents) ? document.contents.items : []) {
    if (!isScalar(key)) continue;
    const { about, usual, group: of } = RECIPE_FIELDS[key.value as keyof Recipe];
    key.commentBefore = `${of === group ? '' : ` --- ${GROUPS[of]} ---\n`} ${about} Usual: ${usual}.`;
    key.spaceBefore = of !== group;
    group = of;
  }
  return document.toString({ lineWidth: 0 });
}

/** What is wrong with a file. `line`: from 1; null where a field is missing altogether. */
export interface YamlIssue extends RecipeIssue {
  line: number | null;
}

/** `said`: the fields that the file has, when nothing is wrong with them; null beside issues. */
export type YamlRecipe = { said: Partial<Recipe>; issues: [] } | { said: null; issues: YamlIssue[] };

/**
 * The fields of a file. It may leave out what `rest` has; all that is in it is checked, with `rest` for what is not.
 * @param rest defaults, with a model, data files and a mapping
 */
export async function recipeFromYaml(text: string, rest: Recipe): Promise<YamlRecipe> {
  const yaml = await library();
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, version: '1.2' });
  const wrong = [...document.errors, ...document.warnings];
  if (wrong.length > 0) return refused(wrong.map((error) => syntaxIssue(error.message, lines.linePos(error.pos[0]).line)));
  let said: unknown;
  try {
    // Aliases may repeat themselves without end; a recipe has no use for them.
    said = document.toJS({ maxAliasCount: 0 });
  } catch {
    return refused([{ field: 'recipe', found: 'an alias (*name)', expected: 'plain values', line: null }]);
  }
  if (!yaml.isMap(document.contents)) {
    const found = said === null || said === undefined ? 'nothing' : Array.isArray(said) ? 'a list' : JSON.stringify(said).slice(0, 80);
    return refused([{ field: 'recipe', found, expected: 'fields of a recipe, as "lora_r: 16"', line: 1 }]);
  }
  const issues = recipeIssues({ ...rest, ...(said as Partial<Recipe>) });
  if (issues.length === 0) return { said: said as Partial<Recipe>, issues: [] };
  return refused(issues.map((issue) => ({ ...issue, ...meant(issue), line: lineOf(document, issue.field, lines, yaml) })));
}

/** Of an unknown field, the one that was probably meant rather than all that there are. */
function meant({ field }: RecipeIssue): Partial<RecipeIssue> {
  if (Object.hasOwn(RECIPE_FIELDS, field) || field.includes('.')) return {};
  return { expected: nearestName(field, Object.keys(RECIPE_FIELDS)) ?? 'a field of a recipe' };
}

function refused(issues: YamlIssue[]): YamlRecipe {
  return { said: null, issues: issues.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity)) };
}

/** The library's message without the place and the excerpt that follow it. */
function syntaxIssue(message: string, line: number): YamlIssue {
  const found = (message.split('\n', 1)[0] ?? '').replace(/ at line \d+, column \d+:?$/, '').replace(/\.$/, '');
  return { field: 'recipe', found: found.slice(0, 1).toLowerCase() + found.slice(1), expected: 'YAML', line };
}

/** Where a field, as `lora_r` or `mapping.template`, stands; of one that is missing, what it should be in. */
function lineOf(document: Document, field: string, lines: LineCounter, { isMap }: Pick<Library, 'isMap'>): number | null {
  let at: number | null = null;
  let inside: unknown = document.contents;
  // A key of the file may have a dot itself.
  for (const name of Object.hasOwn(RECIPE_FIELDS, field.split('.', 1)[0] ?? '') ? field.split('.') : [field]) {
    const pair: Pair | undefined = isMap(inside) ? inside.items.find(({ key }) => nameOf(key) === name) : undefined;
    const start = (pair?.key as Node | undefined)?.range?.[0];
    if (pair === undefined || start === undefined) return at;
    at = lines.linePos(start).line;
    inside = pair.value;
  }
  return at;
}

function nameOf(key: unknown): string {
  return typeof key === 'object' && key !== null && 'value' in key ? String(key.value) : String(key);
}
