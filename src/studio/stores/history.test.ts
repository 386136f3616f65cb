import { expect, it } from 'vitest';
import { createDraftStore } from '#studio/stores/drafts.ts';
import { type History, MOST_UNDONE, NO_HISTORY, remembered } from '#studio/stores/history.ts';

const storage = { getItem: () => null, setItem() {}, removeItem() {} };
const mapping = (column: string) => ({ mapping: { kind: 'text' as const, column }, loss: 'all' as const });

function draftsOf() {
  const store = createDraftStore(storage);
  return { ...store.getState(), now: () => store.getState(), fields: () => store.getState().fields.own };
}

it('goes back and forth over fields, presets, files and mappings, and forgets what was undone once something else is done', () => {
  const drafts = draftsOf();
  drafts.setField('own', 'lora_r', 8);
  drafts.setFields('own', { lora_r: 4, seed: 1 });
  drafts.setMapping('rows', mapping('a'));
  drafts.replaceRecipe('own', { seed: 2 }, { dataset: 'rows', mapping: mapping('b') });
  drafts.undo();
  expect([drafts.fields(), drafts.now().mappings]).toEqual([{ lora_r: 4, seed: 1 }, { rows: mapping('a') }]);
  drafts.undo();
  expect(drafts.now().mappings).toEqual({});
  drafts.undo();
  expect(drafts.fields()).toEqual({ lora_r: 8 });
  drafts.redo();
  drafts.redo();
  drafts.redo();
  expect([drafts.fields(), drafts.now().mappings]).toEqual([{ seed: 2 }, { rows: mapping('b') }]);
  drafts.redo();
  expect(drafts.fields()).toEqual({ seed: 2 });
  drafts.undo();
  drafts.resetFields('own');
  expect(drafts.now().history.future).toEqual([]);
  for (let i = 0; i < 9; i++) drafts.undo();
  expect([drafts.fields(), drafts.now().mappings]).toEqual([{}, {}]);
});

it('takes what is typed into one field for one change', () => {
  const drafts = draftsOf();
  for (const typed of ['2', '2e', '2e-', 2e-4]) drafts.setField('own', 'learning_rate', typed);
  drafts.setField('own', 'lora_r', 8);
  drafts.undo();
  expect(drafts.fields()).toEqual({ learning_rate: 2e-4 });
  drafts.undo();
  expect(drafts.fields()).toEqual({});
});

it('keeps changes apart that come a while after each other, and no more of them than it says', () => {
  const draft = { fields: { demo: {}, own: {} }, mappings: {} };
  const after = (times: readonly number[]) => times.reduce<History>((history, at) => remembered(history, draft, 'seed', at), NO_HISTORY);
  expect(after([0, 900, 1800]).past).toHaveLength(1);
  expect(after([0, 1100, 2200]).past).toHaveLength(3);
  expect(after(Array.from({ length: 3 * MOST_UNDONE }, (_, i) => i * 2000)).past).toHaveLength(MOST_UNDONE);
});

it('is forgotten with another model', () => {
  const drafts = draftsOf();
  drafts.setField('own', 'seed', 1);
  drafts.forgetHistory();
  drafts.undo();
  expect(drafts.fields()).toEqual({ seed: 1 });
});
