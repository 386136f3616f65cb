import { expect, it } from 'vitest';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import { DEFAULTS } from '#recipe/recipe.ts';
import { ELSEWHERE, FORM_GROUPS, isShown } from '#studio/recipe/form-groups.ts';

it('has every field of a recipe once', () => {
  const shown = [...FORM_GROUPS.flatMap(({ fields }) => fields), ...ELSEWHERE];
  expect(shown.toSorted()).toEqual(Object.keys(RECIPE_FIELDS).toSorted());
});

it('shows what means something beside the other values, and what has to be mended', () => {
  const values = { ...DEFAULTS, mapping: null };
  expect(isShown('joiner', values, [])).toBe(false);
  expect(isShown('joiner', { ...values, strategy: 'join' }, [])).toBe(true);
  expect(isShown('joiner', values, [{ field: 'joiner', found: '', expected: '' }])).toBe(true);
  expect(isShown('eval_steps', { ...values, eval_strategy: 'epoch' }, [])).toBe(false);
});
