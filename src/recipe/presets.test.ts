import { describe, expect, it } from 'vitest';
import { defaultsFor, presetFields, presetOf, PRESETS, stepCount, unusualRate, usualRate } from '#recipe/presets.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { recipeIssues } from '#recipe/validate.ts';

const of = (parameterCount: number | null, rowCount: number | null, hasHeldOutFile = false) => ({
  parameterCount,
  rowCount,
  hasHeldOutFile,
});
const chosen = (surroundings: ReturnType<typeof of>) => {
  const {
    learning_rate: rate,
    per_device_train_batch_size: batch,
    num_train_epochs: epochs,
    held_out: heldOut,
  } = defaultsFor(surroundings);
  return { rate, batch, epochs, heldOut };
};

describe('defaultsFor', () => {
  it.each([
    // Half of the rows would be too much to hold out of a few.
    [of(2e6, 8), { rate: 5e-3, batch: 4, epochs: 20, heldOut: 2 }],
    [of(135e6, 60), { rate: 5e-4, batch: 4, epochs: 9, heldOut: 15 }],
    [of(135e6, 100), { rate: 5e-4, batch: 4, epochs: 5, heldOut: 20 }],
    // 180 rows are trained on, 8 a step: 23 steps an epoch.
    [of(1.1e9, 200), { rate: 2e-4, batch: 8, epochs: 5, heldOut: 0.1 }],
    [of(1.1e9, 1204), { rate: 2e-4, batch: 8, epochs: 1, heldOut: 0.1 }],
    // Held-out rows of their own leave all of these to be trained on: 25 steps an epoch.
    [of(1.1e9, 200, true), { rate: 2e-4, batch: 8, epochs: 4, heldOut: 0 }],
    [of(null, null), { rate: 2e-4, batch: 8, epochs: 3, heldOut: 0.1 }],
  ])('%j', (surroundings, expected) => {
    expect(chosen(surroundings)).toEqual(expected);
  });

  it('makes at least 100 steps, with the fewest epochs that do, or stops at 20 epochs', () => {
    for (let rows = 1; rows < 3000; rows += 7) {
      const defaults = defaultsFor(of(135e6, rows));
      const heldOut = defaults.held_out < 1 ? Math.round(rows * defaults.held_out) : defaults.held_out;
      const { steps } = stepCount(defaults, Math.max(1, rows - heldOut));
      const fewer = stepCount({ ...defaults, num_train_epochs: defaults.num_train_epochs - 1 }, Math.max(1, rows - heldOut));
      expect(steps >= 100 || defaults.num_train_epochs === 20).toBe(true);
      expect(defaults.num_train_epochs === 1 || fewer.steps < 100).toBe(true);
    }
  });

  it('changes the size classes at 10M and 500M parameters', () => {
    expect([1, 9.9e6, 10e6, 499e6, 500e6, 70e9].map((size) => usualRate('lora', size))).toEqual([5e-3, 5e-3, 5e-4, 5e-4, 2e-4, 2e-4]);
  });
});

describe('unusualRate', () => {
  it.each([
    [2e-4, 1.1e9, null],
    [2e-4, 135e6, null],
    [1e-3, 135e6, null],
    [2e-5, 2e6, { kind: 'low', usual: 5e-3 }],
    [5e-3, 135e6, { kind: 'high', usual: 5e-4 }],
    [1e-3, 1.1e9, { kind: 'high', usual: 2e-4 }],
    [0, 1.1e9, null],
    [5, null, null],
  ])('%d for %d parameters', (rate, parameterCount, expected) => {
    expect(unusualRate({ learning_rate: rate, method: 'lora' }, parameterCount)).toEqual(expected);
  });
});

describe('stepCount', () => {
  it('counts as the run will', () => {
    const recipe = { ...DEFAULTS, num_train_epochs: 4 };
    expect(stepCount(recipe, 200)).toEqual({ sequences: 200, epochs: 4, rowsPerStep: 8, steps: 100, isFew: false });
    expect(stepCount({ ...recipe, num_train_epochs: 1 }, 200)).toMatchObject({ steps: 25, isFew: true });
    expect(stepCount({ ...recipe, max_steps: 60 }, 200)).toMatchObject({ steps: 60, epochs: 2.4, isFew: false });
    expect(stepCount({ ...recipe, max_steps: 59 }, 200).isFew).toBe(true);
  });
});

describe('presets', () => {
  const said = { model: 'm', data_files: ['rows.jsonl'], mapping: { kind: 'template', template: '{a}\n{b}' } };
  const places = [of(2e6, 8), of(135e6, 200), of(8e9, 50_000), of(null, null), of(135e6, 200, true)];

  it.each(PRESETS)('%s is a recipe wherever it is taken', (preset) => {
    for (const surroundings of places) {
      const base = defaultsFor(surroundings);
      const recipe = { ...base, ...presetFields(preset, base, surroundings), ...said };
      expect(recipeIssues(recipe)).toEqual([]);
    }
  });

  it('are told from each other by their values', () => {
    for (const surroundings of places.slice(1)) {
      const base = defaultsFor(surroundings);
      for (const preset of PRESETS)
        expect(presetOf({ ...base, ...presetFields(preset, base, surroundings) }, base, surroundings)).toBe(preset);
      expect(presetOf({ ...base, lora_r: 5 }, base, surroundings)).toBeNull();
      // What presets do not speak of makes no difference.
      expect(presetOf({ ...base, learning_rate: 1 }, base, surroundings)).toBe('balanced');
    }
  });

  it('do what their names say', () => {
    const surroundings = of(135e6, 2000);
    const base = defaultsFor(surroundings);
    const stepsOf = (fields: Partial<Recipe>) => stepCount({ ...base, ...fields }, 1800).steps;
    const [quick, , thorough, least] = PRESETS.map((preset) => presetFields(preset, base, surroundings));
    expect([stepsOf(quick), stepsOf({}), stepsOf(thorough), stepsOf(least)]).toEqual([60, 225, 675, 225]);
    expect(thorough).toMatchObject({ lora_r: 32, lora_alpha: 64, load_best_model_at_end: true });
    expect(least).toMatchObject({ per_device_train_batch_size: 1, gradient_accumulation_steps: 8, gradient_checkpointing: true });
    // A shipped recipe that counts its steps is tripled by them.
    expect(presetFields('thorough', { ...base, max_steps: 150 }, surroundings).max_steps).toBe(450);
    expect(presetFields('quick', { ...base, max_steps: 40 }, surroundings).max_steps).toBe(40);
  });
});
