import { describe, expect, it } from 'vitest';
import { FINETUNE_HELP, parseFinetuneFlags } from '#cli/flags.ts';

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
    [[...BASE, '--method', 'qlora'], /method: "qlora" was found, "lora"/],
  ])('refuses %j by name', (args, message) => {
    expect(() => parseFinetuneFlags(args)).toThrow(message);
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
