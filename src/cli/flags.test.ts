import { describe, expect, it } from 'vitest';
import { FINETUNE_HELP, parseFinetuneFlags, recipePath } from '#cli/flags.ts';

const words = (line: string) => line.split(' ');
const BASE = ['-m', 'model', '--data_files', 'rows.json'];

describe('parseFinetuneFlags', () => {
  it("has Olive's defaults with Olive's flags alone", () => {
    const { recipe, output, isDryRun } = parseFinetuneFlags([
      ...BASE,
      '-d',
      'json',
      '--text_template',
      'a {x}\\nb',
      '--torch_dtype',
      'float32',
    ]);
    expect(recipe).toMatchObject({
      mapping: { kind: 'template', template: 'a {x}\nb' },
      strategy: 'join',
      loss_on: 'all',
      lora_r: 64,
      lora_alpha: 16,
      lora_dropout: 0.05,
      target_modules: null,
      max_seq_len: 1024,
      lr_scheduler_type: 'constant',
      learning_rate: 2e-4,
    });
    expect(output).toBe('out');
    expect(isDryRun).toBe(false);
  });

  it('takes every kind of value', () => {
    const { recipe, adapterPath, isDryRun, evalFiles } = parseFinetuneFlags([
      ...BASE,
      ...words('--completion_only_loss true --lora_r 8 --target_modules q_proj,v_proj --learning_rate 1e-3 --max_samples none'),
      ...words('--add_special_tokens true --lr_scheduler_type cosine --adapter_path a --dry_run --eval_files x,y'),
    ]);
    expect(recipe).toMatchObject({
      mapping: { kind: 'prompt-completion', prompt: 'prompt', completion: 'completion' },
      strategy: 'line-by-line',
      loss_on: 'answer',
      lora_r: 8,
      target_modules: ['q_proj', 'v_proj'],
      learning_rate: 1e-3,
      max_samples: null,
      add_special_tokens: true,
      lr_scheduler_type: 'cosine',
    });
    expect([adapterPath, isDryRun, evalFiles]).toEqual(['a', true, ['x', 'y']]);
  });

  it.each([
    [['--data_files', 'x'], /--model_name_or_path: nothing was found, a path/],
    [['-m', 'x'], /--data_files: nothing was found/],
    [[...BASE, '--lora_r', 'many'], /--lora_r: many was found, a whole number from 1/],
    [[...BASE, '--lora_r', '0'], /lora_r: 0 was found, a whole number from 1/],
    [[...BASE, '--torch_dtype', 'float16'], /--torch_dtype: float16 was found, float32/],
    [[...BASE, '--text_field', 'a', '--use_chat_template'], /more than one of text_template/],
    [[...BASE, '--lr_scheduler_type', 'step'], /lr_scheduler_type: "step" was found/],
    [[...BASE, '--no_such_flag', '1'], /^--no_such_flag: an unknown flag was found, a flag of loratory finetune --help was expected$/],
    [[...BASE, '--lora-rank', '8'], /^--lora-rank: an unknown flag was found, --lora_r was expected$/],
    [[...BASE, 'more.json'], /^"more.json" was found, a flag was expected/],
    [[...BASE, '--lora_r'], /^--lora_r: nothing was found, a value was expected$/],
    [[...BASE, '--lora_r', '--seed', '1'], /^--lora_r: the next flag, --seed, was found, a value was expected$/],
    [[...BASE, '--dry_run=perhaps'], /^--dry_run: perhaps was found, true or false was expected$/],
    [[...BASE, '--completion_only_loss', 'maybe'], /maybe was found, true or false/],
    [[...BASE, '--eval_split', 'train[80%'], /^--eval_split: train\[80% was found, a split as train, train\[:80%\], /],
    [
      [...BASE, '--eval_split', '10%'],
      /^--eval_split: 10% was found, a share below 1 as 0\.1, a whole number of rows as 50, or a split as /,
    ],
    [[...BASE, '--eval_split', '1.0'], /^--eval_split: 1\.0 was found, a share below 1/],
    [[...BASE, '--eval_split', '0'], /^--eval_split: 0 was found, a share below 1/],
    [[...BASE, '--eval_split', '-0.5'], /^--eval_split: -0\.5 was found, a share below 1/],
    [[...BASE, '--eval_split', 'validation'], /^--eval_split: the split validation was found, train, as the rows of local files/],
    [[...BASE, '--train_split', 'test[:10%]'], /^--train_split: the split test was found, train, /],
    [[...BASE, '--eval_split', '0.1', '--eval_files', 'x'], /^--eval_split: 0\.1, with --eval_files, was found, one of the two/],
    [[...BASE, '-d', 'arrow'], /^--data_name: arrow was found, json or csv, or a hub's dataset as org\/name was expected$/],
    [[...BASE, '-d', 'org/rows'], /^--data_files: rows\.json with -d org\/rows was found, one of the two was expected$/],
    [[...BASE, '--train_subset', 'en'], /^--train_subset: a subset was found, a hub dataset by -d org\/name was expected$/],
    [
      ['-m', 'x', '-d', 'org/rows', '--train_split', 'train+test'],
      /^--train_split: train\+test was found, parts of one split was expected$/,
    ],
    [[...BASE, '--early_stopping_patience', '2'], /eval_strategy: "no", with early_stopping_patience was found/],
    [[...BASE, '--method', 'qlora'], /method: "qlora" was found, "lora"/],
  ])('refuses %j by name', (args, message) => {
    expect(() => parseFinetuneFlags(args)).toThrow(message);
  });

  it('takes splits, shares and numbers of rows, and remembers what was said', () => {
    const slices = parseFinetuneFlags([...BASE, '--train_split', 'train[:80%]+train[90%:]', '--eval_split', 'train[80%:90%]']);
    expect([slices.trainSplit.length, slices.evalSplit?.[0], slices.recipe.held_out]).toEqual([
      2,
      { text: 'train[80%:90%]', name: 'train', from: 80, to: 90, isPercent: true, rounding: 'closest' },
      0,
    ]);
    const held = (split: string) => parseFinetuneFlags([...BASE, '--eval_split', split]);
    expect([held('0.1'), held('.5'), held('50')].map(({ recipe, evalSplit }) => [recipe.held_out, evalSplit])).toEqual([
      [0.1, null],
      [0.5, null],
      [50, null],
    ]);
    expect(held('50').said).toEqual({ model: 'model', data_files: ['rows.json'], held_out: 50 });
    expect(held('').said).toEqual({ model: 'model', data_files: ['rows.json'] });
  });

  it('takes rows of a hub by subset and split, and measures rows of the same split or of another', () => {
    const hub = ['-m', 'org/model', '-d', 'org/rows'];
    const same = parseFinetuneFlags([...hub, '--train_split', 'train[:80%]', '--eval_split', 'train[80%:]', '--hub_token', 'secret']);
    expect(same).toMatchObject({ dataFiles: [], hubToken: 'secret', ggufFile: null });
    expect(same.hubRows).toEqual({ id: 'org/rows', subset: null, split: 'train[:80%]', evalSubset: null, evalSplit: null });
    expect(same.evalSplit).toMatchObject([{ name: 'train', from: 80 }]);
    expect(JSON.stringify([same.recipe, same.said])).not.toContain('secret');
    expect(same.recipe).toMatchObject({ data_files: ['org/rows'], held_out: 0 });

    const other = parseFinetuneFlags([...hub, '--train_subset', 'en', '--eval_split', 'validation[:50]', '--gguf_file', 'a.gguf']);
    expect(other).toMatchObject({ evalSplit: null, ggufFile: 'a.gguf', trainSplit: [{ name: 'train' }] });
    expect(other.hubRows).toEqual({ id: 'org/rows', subset: 'en', split: 'train', evalSubset: 'en', evalSplit: 'validation[:50]' });
    const subset = parseFinetuneFlags([...hub, '--train_subset', 'en', '--eval_subset', 'fr', '--eval_split', 'train']);
    expect(subset.hubRows).toMatchObject({ subset: 'en', evalSubset: 'fr', evalSplit: 'train' });
    expect(parseFinetuneFlags([...hub, '--eval_split', '0.1'])).toMatchObject({ evalSplit: null, recipe: { held_out: 0.1 } });
  });

  it('takes what a recipe file says where no flag says otherwise', () => {
    const fromFile = {
      model: 'of-the-file',
      data_files: ['a.json', 'b.json'],
      mapping: { kind: 'template' as const, template: '{a}\n{b}' },
      strategy: 'line-by-line' as const,
      loss_on: 'answer' as const,
      lora_r: 4,
      learning_rate: 1e-3,
      held_out: 0.1,
      eval_strategy: 'no' as const,
    };
    const alone = parseFinetuneFlags([], fromFile);
    expect(alone).toMatchObject({ model: 'of-the-file', dataFiles: ['a.json', 'b.json'], recipe: { ...fromFile, lora_alpha: 16 } });
    expect(alone.said).toEqual(fromFile);
    const both = parseFinetuneFlags([...BASE, '--lora_r', '8', '--text_field', 'text'], { ...fromFile, loss_on: 'all' });
    expect(both.recipe).toMatchObject({ model: 'model', data_files: ['rows.json'], lora_r: 8, learning_rate: 1e-3, held_out: 0.1 });
    expect(both.recipe.mapping).toEqual({ kind: 'text', column: 'text' });
    expect(parseFinetuneFlags(['--eval_split', '20'], fromFile).recipe.held_out).toBe(20);
    // A number of steps says that they are counted, whatever the file says.
    expect(parseFinetuneFlags(['--eval_steps', '5'], fromFile).recipe.eval_strategy).toBe('steps');
    expect([recipePath([...BASE, '--recipe', 'r.yaml']), recipePath(BASE)]).toEqual(['r.yaml', null]);
  });

  it('measures by steps when their number is given', () => {
    expect(parseFinetuneFlags([...BASE, '--eval_steps', '5']).recipe).toMatchObject({ eval_strategy: 'steps', eval_steps: 5 });
    expect(parseFinetuneFlags([...BASE, '--eval_steps', '5', '--eval_strategy', 'epoch']).recipe.eval_strategy).toBe('epoch');
  });

  it('takes a value that starts with a dash, and the last of two', () => {
    expect(parseFinetuneFlags([...BASE, '--max_samples', '-1']).recipe.max_samples).toBeNull();
    expect(parseFinetuneFlags([...BASE, '--text_template', '- {a}']).recipe.mapping).toEqual({ kind: 'template', template: '- {a}' });
    expect(parseFinetuneFlags([...BASE, '--seed', '1', '--seed', '2']).recipe.seed).toBe(2);
  });

  it("reads Python's escapes in a template, and leaves other text as it is", () => {
    const template = (text: string) => parseFinetuneFlags([...BASE, '--text_template', text]).recipe.mapping;
    const [typed, meant] = [String.raw`{a}\n\t\\n\x41\u4eca 天\d`, '{a}\n\t\\nA今 天\\d'];
    expect(template(typed)).toEqual({ kind: 'template', template: meant });
    expect(parseFinetuneFlags([...BASE, '--joiner', String.raw`\n--\n`]).recipe.joiner).toBe('\n--\n');
  });

  it('describes every flag', () => {
    for (const flag of ['--lora_r', '--max_steps', '--text_template', '--adapter_path', '--dry_run', '--warmup_steps'])
      expect(FINETUNE_HELP).toContain(flag);
  });
});
