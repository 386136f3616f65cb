import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import { MAPPING_KINDS, type DataMapping } from '#data/mapping.ts';
import { type FieldKind, RECIPE_FIELDS } from '#recipe/fields.ts';
import { OLIVE_DEFAULTS } from '#recipe/olive.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { recipeIssues } from '#recipe/validate.ts';
import { recipeFromYaml, recipeToYaml } from '#recipe/yaml.ts';

const WANTED = { model: 'tiny-llama', data_files: ['rows.json'], mapping: { kind: 'template' as const, template: '{a}\n{b}' } };
const REST: Recipe = { ...DEFAULTS, ...WANTED };

/** Texts that a careless writer would break on the way. */
const TEXTS = [
  'a',
  '',
  '\n',
  '\n\n',
  ' x ',
  '# no comment',
  'null',
  'true',
  '12',
  '1e3',
  '0x1f',
  '- a',
  'a: b',
  '{b}',
  "'",
  '"',
  '\\n',
  '上海',
  '\t|',
  '~',
  '🙂',
];

function randomValue(kind: FieldKind, random: Random): unknown {
  const below = (n: number) => random.below(n);
  const text = (mayBeEmpty: boolean) => {
    const options = mayBeEmpty ? TEXTS : TEXTS.filter((each) => each !== '');
    return options[below(options.length)];
  };
  if ('nullMeans' in kind && kind.nullMeans !== undefined && below(3) === 0) return null;
  switch (kind.kind) {
    case 'integer':
      return kind.min + below(kind.max - kind.min + 1);
    case 'number': {
      const [min, max] = [Math.max(kind.min, 1e-12), Math.min(kind.max, 1e6)];
      const value = min * (max / min) ** random.uniform();
      return kind.open === 'max' ? Math.min(value, max * 0.999) : value;
    }
    case 'choice':
      return kind.choices[below(kind.choices.length)];
    case 'boolean':
      return below(2) === 0;
    case 'text':
      return text(kind.mayBeEmpty);
    case 'texts':
      return Array.from({ length: 1 + below(3) }, () => text(false));
    case 'modules':
      return below(2) === 0 ? 'all-linear' : Array.from({ length: 1 + below(3) }, () => text(false));
    case 'mapping':
      return randomMapping(MAPPING_KINDS[below(MAPPING_KINDS.length)], () => text(false));
    default:
      return kind satisfies never;
  }
}

function randomMapping(kind: DataMapping['kind'], text: () => string): DataMapping {
  switch (kind) {
    case 'template':
      return { kind, template: text() };
    case 'text':
    case 'messages':
      return { kind, column: text() };
    case 'prompt-completion':
      return { kind, prompt: text(), completion: text() };
    case 'turns':
      return { kind, user: [text(), text()], assistant: text() };
    default:
      return kind satisfies never;
  }
}

/** Of which no field contradicts another. */
function randomRecipes(count: number): Recipe[] {
  const random = new Random(5);
  const recipes: Recipe[] = [];
  while (recipes.length < count) {
    const fields = Object.entries(RECIPE_FIELDS).map(([field, { value }]) => [field, randomValue(value, random)]);
    const recipe = Object.fromEntries(fields) as unknown as Recipe;
    if (recipe.held_out >= 1) recipe.held_out = Math.floor(recipe.held_out);
    if (recipeIssues(recipe).length === 0) recipes.push(recipe);
  }
  return recipes;
}

describe('recipeToYaml', () => {
  it('comes back as it went: our defaults, those of Olive, and 200 random recipes', async () => {
    const recipes = [REST, { ...OLIVE_DEFAULTS, ...WANTED }, ...randomRecipes(200)];
    for (const recipe of recipes) {
      expect(await recipeFromYaml(await recipeToYaml(recipe), REST)).toEqual({ said: recipe, issues: [] });
    }
  });

  it('has every field once, by groups, each after what it does', async () => {
    const text = await recipeToYaml(REST);
    const lines = text.split('\n');
    const keys = lines.flatMap((line) => /^(\w+):/.exec(line)?.[1] ?? []);
    expect(keys).toEqual(Object.keys(RECIPE_FIELDS));
    for (const [field, { about }] of Object.entries(RECIPE_FIELDS)) {
      const at = lines.findIndex((line) => line.startsWith(`${field}:`));
      expect(lines[at - 1]).toContain(about);
    }
    expect(lines.filter((line) => line.startsWith('# --- '))).toHaveLength(6);
    expect(text).toContain('\nlearning_rate: 0.0002\n');
    expect(text).toContain('\nmax_steps: null\n');
  });
});

describe('recipeFromYaml', () => {
  const read = (text: string) => recipeFromYaml(text, REST);

  it('takes a file that says little, in the spellings of people', async () => {
    expect(await read('lora_r: 8\nlearning_rate: 1e-4 # lower\ntarget_modules: [q_proj, v_proj]\nmax_steps: ~\n')).toEqual({
      said: { lora_r: 8, learning_rate: 1e-4, target_modules: ['q_proj', 'v_proj'], max_steps: null },
      issues: [],
    });
    // JSON is YAML.
    expect(await read('{"lora_r": 8}')).toMatchObject({ said: { lora_r: 8 } });
  });

  it('names unknown keys and wrong values with their lines, in order', async () => {
    const text =
      'lora_alpha: 32\nlora_rank: 8\n\n# a comment\nlearning_rate: fast\nwat_is_this: 1\nmapping:\n  kind: template\n  templat: x\n';
    expect(await read(text)).toEqual({
      said: null,
      issues: [
        { field: 'lora_rank', found: 'an unknown field', expected: 'lora_r', line: 2 },
        { field: 'learning_rate', found: '"fast"', expected: 'a number from 0 to 10', line: 5 },
        { field: 'wat_is_this', found: 'an unknown field', expected: 'a field of a recipe', line: 6 },
        { field: 'mapping.template', found: 'nothing', expected: 'text that is not empty', line: 7 },
        { field: 'mapping.templat', found: 'an unknown field', expected: 'one of kind, template', line: 9 },
      ],
    });
  });

  it('names what contradicts what the file leaves out', async () => {
    expect(await read('seed: 1\nstrategy: join')).toMatchObject({ issues: [{ field: 'mapping', line: null }] });
    expect(await read('\nearly_stopping_patience: 3\neval_strategy: "no"')).toMatchObject({
      issues: [{ field: 'eval_strategy', line: 3 }],
    });
  });

  it.each([
    ['', { found: 'nothing', line: 1 }],
    ['just words', { found: '"just words"', line: 1 }],
    ['- a\n- b', { found: 'a list', line: 1 }],
    ['lora_r: 8\nlora_r: 9', { found: 'map keys must be unique', expected: 'YAML', line: 2 }],
    ['seed: 1\nlora_r: [8', { expected: 'YAML', line: 2 }],
    ['lora_r: !!python/object 8', { expected: 'YAML', line: 1 }],
    ['a: &a [1, 1]\nb: [*a, *a]', { found: 'an alias (*name)', line: null }],
  ])('%j is refused by what it is', async (text, issue) => {
    expect(await read(text)).toMatchObject({ said: null, issues: [{ field: 'recipe', ...issue }] });
  });
});
