import { expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import { composeRecipe } from '#studio/stores/recipe.ts';
import { startBlock, type StartInput } from '#studio/train/start-block.ts';

const mapping = { mapping: { kind: 'template' as const, template: '{a}\n{b}' }, loss: 'answer' as const };
const recipe = (changed: Record<string, unknown> = {}, of: typeof mapping | null = mapping) =>
  composeRecipe({ base: {}, changed, mapping: of, model: 'tiny', dataFile: 'rows.json' });
const some = {} as never;
const ready: StartInput = {
  device: { kind: 'ready', summary: some },
  model: { opened: some, opening: null },
  dataset: { opened: some, opening: null, prepared: some, preparing: null, prepareError: null },
  project: { mapping, recipe: recipe(), estimateError: null },
};
const error = new AppError('gpu/limit', 'too much');

it('lets a run start when nothing is missing', () => {
  expect(startBlock(ready)).toBeNull();
});

it.each<[string, Partial<StartInput>, ReturnType<typeof startBlock>]>([
  ['device', { device: { kind: 'missing', error } }, { why: 'device', place: 'model' }],
  ['opening model', { model: { opened: null, opening: some } }, { why: 'opening' }],
  ['model', { model: { opened: null, opening: null } }, { why: 'model', place: 'model' }],
  ['dataset', { dataset: { ...ready.dataset, opened: null } }, { why: 'data', place: 'data' }],
  ['mapping', { project: { ...ready.project, mapping: null, recipe: recipe({}, null) } }, { why: 'mapping', place: 'data' }],
  ['rows', { dataset: { ...ready.dataset, prepared: null, prepareError: error } }, { why: 'rows', place: 'data' }],
  ['value', { project: { ...ready.project, recipe: recipe({ lora_r: 'many' }) } }, { why: 'recipe', field: 'lora_r', place: 'recipe' }],
  ['tokens', { dataset: { ...ready.dataset, prepared: null } }, { why: 'preparing' }],
  ['memory', { project: { ...ready.project, estimateError: error } }, { why: 'plan', place: 'recipe' }],
])('says that the %s is missing, and where that is mended', (_, changes, expected) => {
  expect(startBlock({ ...ready, ...changes })).toEqual(expected);
});
