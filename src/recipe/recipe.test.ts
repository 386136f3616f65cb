import { describe, expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import { type FieldKind, RECIPE_FIELDS } from '#recipe/fields.ts';
import { OLIVE_DEFAULTS, OLIVE_TEXT_FIELD, peftTargetModules } from '#recipe/olive.ts';
import { dataOptions, DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { planSteps } from '#recipe/steps.ts';
import { completeRecipe, expectedText, recipeIssues, validateRecipe } from '#recipe/validate.ts';
import olive from './fixtures/olive-defaults.json' with { type: 'json' };

const SAID = { model: 'demo', data_files: ['rows.json'], mapping: { kind: 'template', template: '{input}\n{output}' } } as const;
const recipe = (): Recipe => completeRecipe(SAID, DEFAULTS);

describe('validateRecipe', () => {
  it("takes our defaults and Olive's, through JSON and back", () => {
    for (const defaults of [DEFAULTS, OLIVE_DEFAULTS]) {
      const made = completeRecipe(SAID, defaults);
      expect(made).toEqual({ ...defaults, ...SAID });
      expect(validateRecipe(JSON.parse(JSON.stringify(made)))).toEqual(made);
    }
  });

  it('takes what a mapping may leave out, and nothing else for it', () => {
    const issues = (mapping: object) => recipeIssues({ ...recipe(), mapping });
    expect(issues({ kind: 'messages', column: 'm' })).toEqual([]);
    expect(issues({ kind: 'messages', column: 'm', tools: 't', thinking: 'off' })).toEqual([]);
    expect(issues({ kind: 'turns', user: ['a', 'b'], assistant: 'c', system: 's', plain: true, thinking: 'auto' })).toEqual([]);
    expect(issues({ kind: 'messages', column: 'm', thinking: 'no', tools: null })).toEqual([
      { field: 'mapping.tools', found: 'null', expected: 'text that is not empty' },
      { field: 'mapping.thinking', found: '"no"', expected: '"auto" or "on" or "off"' },
    ]);
    expect(issues({ kind: 'turns', user: 'a', answer: 'c' })).toEqual([
      { field: 'mapping.answer', found: 'an unknown field', expected: 'one of kind, system, user, assistant, plain, thinking' },
      { field: 'mapping.user', found: '"a"', expected: 'a list of at least one name' },
      { field: 'mapping.assistant', found: 'nothing', expected: 'text that is not empty' },
    ]);
  });

  it('lets what was said go before the defaults, and shares nothing with them', () => {
    const made = completeRecipe({ ...SAID, lora_r: 4, target_modules: ['q_proj'] }, DEFAULTS);
    expect([made.lora_r, made.lora_alpha, made.target_modules]).toEqual([4, DEFAULTS.lora_alpha, ['q_proj']]);
    expect(DEFAULTS.lora_r).toBe(16);
  });

  it.each<[string, unknown, string, string]>([
    ['lora_r', '8', '"8"', 'a whole number from 1 to 1024'],
    ['lora_r', 0, '0', 'a whole number from 1 to 1024'],
    ['lora_r', 2.5, '2.5', 'a whole number from 1 to 1024'],
    ['lora_r', null, 'null', 'a whole number from 1 to 1024'],
    ['lora_alpha', 0, '0', 'a number above 0 to 65536'],
    ['lora_dropout', 1, '1', 'a number from 0 to below 1'],
    ['learning_rate', Number.NaN, 'NaN', 'a number from 0 to 10'],
    ['learning_rate', -1e-4, '-0.0001', 'a number from 0 to 10'],
    ['learning_rate', Number.POSITIVE_INFINITY, 'Infinity', 'a number from 0 to 10'],
    ['max_steps', 0, '0', 'a whole number from 1 to 10000000, or null (by epochs)'],
    ['max_seq_len', 1, '1', 'a whole number from 2 to 131072'],
    ['lr_scheduler_type', 'polynomial', '"polynomial"', '"constant" or "constant_with_warmup" or "linear" or "cosine"'],
    ['method', 'qlora', '"qlora"', '"lora"'],
    ['version', 2, '2', '1'],
    ['add_special_tokens', 1, '1', 'true or false'],
    ['model', '', '""', 'text that is not empty'],
    ['data_files', [], '[]', 'a list of at least one name'],
    [
      'target_modules',
      ['q_proj', ''],
      '["q_proj",""]',
      'a list of module names, "all-linear", or null (PEFT\'s choice for the architecture)',
    ],
    ['target_modules', 'q_proj', '"q_proj"', 'a list of module names, "all-linear", or null (PEFT\'s choice for the architecture)'],
    ['held_out', 1.5, '1.5', 'a share below 1, or a whole number of rows'],
    ['stratify_by', '', '""', 'text that is not empty, or null (no column)'],
    ['stratify_by', undefined, 'nothing', 'text that is not empty, or null (no column)'],
    ['keep_duplicates_together', null, 'null', 'true or false'],
    ['mapping', 'x', '"x"', 'an object whose kind is "text" or "template" or "messages" or "prompt-completion" or "turns"'],
    [
      'mapping',
      { kind: 'sql' },
      '{"kind":"sql"}',
      'an object whose kind is "text" or "template" or "messages" or "prompt-completion" or "turns"',
    ],
  ])('%s = %j: found and expected', (field, value, found, expected) => {
    expect(recipeIssues({ ...recipe(), [field]: value })).toEqual([{ field, found, expected }]);
  });

  it('names unknown fields, at the top and in the mapping', () => {
    const issues = recipeIssues({ ...recipe(), lora_rank: 8, mapping: { kind: 'text', column: '', template: 'x' } });
    expect(issues.map(({ field, found }) => [field, found])).toEqual([
      ['lora_rank', 'an unknown field'],
      ['mapping.template', 'an unknown field'],
      ['mapping.column', '""'],
    ]);
    expect(issues[0]?.expected).toContain('lora_r, lora_alpha');
  });

  it('names every missing field', () => {
    const error = (() => {
      try {
        return validateRecipe({ version: 1 });
      } catch (caught) {
        return caught;
      }
    })() as AppError;
    expect(error).toBeInstanceOf(AppError);
    expect([error.code, error.details.field, error.details.found]).toEqual(['recipe/invalid', 'model', 'nothing']);
    for (const field of Object.keys(RECIPE_FIELDS).filter((name) => name !== 'version'))
      expect(error.message).toContain(`${field}: nothing was found`);
  });

  it('refuses what is no object, and combinations without meaning', () => {
    expect(recipeIssues([])).toEqual([{ field: 'recipe', found: '[]', expected: 'an object' }]);
    expect(recipeIssues(null)[0]?.found).toBe('null');
    expect(recipeIssues({ ...recipe(), strategy: 'join' })).toMatchObject([
      { field: 'mapping', found: "strategy 'join' with loss on the answer" },
    ]);
  });

  it('is not fooled by names that every object has', () => {
    expect(recipeIssues({ ...recipe(), toString: 1 }).map(({ field }) => field)).toEqual(['toString']);
    expect(recipeIssues(JSON.parse(`{"__proto__": ${JSON.stringify(recipe())}}`)).map(({ field }) => field)).toContain('model');
  });

  it('shortens a long value in a message', () => {
    expect(recipeIssues({ ...recipe(), method: 'x'.repeat(1000) })[0]?.found.length).toBeLessThan(90);
  });
});

describe('RECIPE_FIELDS', () => {
  it('says something of every field, once', () => {
    const infos = Object.values(RECIPE_FIELDS);
    for (const { label, about, usual } of infos) {
      expect(label).toMatch(/^\p{Lu}/u);
      expect(about).toMatch(/^\p{Lu}.*\.$/u);
      expect(usual).not.toBe('');
    }
    expect(new Set(infos.map(({ label }) => label)).size).toBe(infos.length);
    expect(new Set(infos.map(({ about }) => about)).size).toBe(infos.length);
  });

  it('has words for every kind of value', () => {
    for (const { value } of Object.values(RECIPE_FIELDS)) expect(expectedText(value satisfies FieldKind)).not.toBe('');
  });
});

describe("Olive's defaults", () => {
  it('are those that Olive and its trainer use', () => {
    const { max_steps, warmup_steps, ...trainer } = olive.trainer;
    expect(OLIVE_DEFAULTS).toMatchObject({
      ...olive.flags,
      ...olive.pass,
      ...trainer,
      strategy: olive.text.strategy,
      joiner: olive.text.joiner,
    });
    expect([max_steps, OLIVE_DEFAULTS.max_steps]).toEqual([-1, null]);
    expect([warmup_steps, OLIVE_DEFAULTS.warmup_steps, OLIVE_DEFAULTS.warmup_ratio]).toEqual([0, 0, 0]);
    expect(olive.text.text_cols).toEqual([OLIVE_TEXT_FIELD]);
  });

  it("take PEFT's modules", () => {
    for (const [type, modules] of Object.entries(olive.targetModules)) expect(peftTargetModules(type)).toEqual(modules);
    expect(peftTargetModules('toString')).toBeUndefined();
  });
});

describe('planSteps', () => {
  it.each(olive.steps)(
    "is the Trainer's plan for $rows rows",
    ({ rows, max_steps, warmup_steps, stepsPerEpoch, totalSteps, warmupSteps, ...fields }) => {
      // transformers 5 takes a warmup below 1 for a share; a recipe has a field for each.
      const warmup = warmup_steps < 1 ? { warmup_steps: 0, warmup_ratio: warmup_steps } : { warmup_steps, warmup_ratio: 0 };
      const plan = planSteps({ ...fields, ...warmup, max_steps: max_steps < 0 ? null : max_steps, lr_scheduler_type: 'linear' }, rows);
      expect(plan).toMatchObject({ stepsPerEpoch, totalSteps, warmupSteps });
      expect(plan.rowsPerStep).toBe(fields.per_device_train_batch_size * fields.gradient_accumulation_steps);
    },
  );

  it('has no warmup under a plain constant rate, and counts parts of epochs', () => {
    const fields = { ...recipe(), warmup_steps: 5, max_steps: 10, per_device_train_batch_size: 5 };
    expect(planSteps({ ...fields, lr_scheduler_type: 'constant' }, 20)).toMatchObject({ warmupSteps: 0, epochs: 2.5 });
    expect(planSteps({ ...fields, lr_scheduler_type: 'constant_with_warmup' }, 20).warmupSteps).toBe(5);
  });
});

it('dataOptions hands the data layer its part', () => {
  expect(dataOptions(completeRecipe({ ...SAID, max_seq_len: 32, max_samples: 7 }, DEFAULTS))).toEqual({
    mapping: SAID.mapping,
    strategy: 'line-by-line',
    loss: 'answer',
    maxLength: 32,
    maxSamples: 7,
    addSpecialTokens: false,
    joiner: '\n\n',
  });
});
