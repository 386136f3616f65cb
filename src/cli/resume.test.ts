import { describe, expect, it } from 'vitest';
import { parseFinetuneFlags } from '#cli/flags.ts';
import { changedFields, endedEarly, resumedRecipe } from '#cli/resume.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { startPosition } from '#run/position.ts';

const flagsOf = (flags: string) => parseFinetuneFlags(['-m', 'm', '--data_files', 'd', ...flags.split(' ').filter(Boolean)]);
const KEPT = flagsOf('--text_field input --strategy line-by-line --lora_r 4 --max_steps 40 --warmup_steps 5 --learning_rate 1e-2').recipe;
const resumed = (flags: string): Recipe => resumedRecipe(KEPT, flagsOf(flags));

describe('resumedRecipe', () => {
  it('has what the checkpoint has where no flag says otherwise', () => {
    expect(resumed('')).toEqual(KEPT);
    expect(resumed('--learning_rate 1e-3 --eval_split 0.1')).toEqual({ ...KEPT, learning_rate: 1e-3, held_out: 0.1 });
  });

  it.each<[string, Partial<Recipe>]>([
    ['--num_train_epochs 5', { max_steps: null, num_train_epochs: 5 }],
    ['--max_steps 80', { max_steps: 80, num_train_epochs: 3 }],
    ['--warmup_ratio 0.1', { warmup_steps: 0, warmup_ratio: 0.1 }],
    ['--text_field output', { mapping: { kind: 'text', column: 'output' }, strategy: 'join' }],
    ['--completion_only_loss true', { strategy: 'line-by-line', loss_on: 'answer' }],
    ['--eval_steps 3', { eval_steps: 3, eval_strategy: 'steps' }],
  ])('lets %s decide for what goes with it', (flags, change) => {
    expect(resumed(flags)).toMatchObject(change);
  });

  it('tells fields that change numbers from those that only watch', () => {
    const now = { ...KEPT, learning_rate: 1, save_steps: 7, logging_steps: 2, eval_strategy: 'epoch' as const, max_steps: 50 };
    expect(changedFields(KEPT, now)).toEqual(['max_steps', 'learning_rate']);
  });
});

describe('endedEarly', () => {
  const recipe = { ...KEPT, early_stopping_patience: 2, eval_strategy: 'steps' as const };
  const position = { ...startPosition(1), step: 8, evaluatedAt: 8, evaluationsWithoutGain: 2 };

  it('is so where the last evaluation was the last one that patience allows', () => {
    expect(endedEarly(position, recipe)).toBe(true);
    expect(endedEarly({ ...position, evaluationsWithoutGain: 1 }, recipe)).toBe(false);
    expect(endedEarly({ ...position, evaluatedAt: 6 }, recipe)).toBe(false);
    expect(endedEarly(position, { ...recipe, early_stopping_patience: 3 })).toBe(false);
    expect(endedEarly(position, { ...recipe, early_stopping_patience: null })).toBe(false);
  });
});
