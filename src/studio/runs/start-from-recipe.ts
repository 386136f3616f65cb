/** The recipe of a kept run as the start of another. Knows stores, no component. */
import type { RunSummary } from '#protocol/trainer.ts';
import type { Studio } from '#studio/studio.ts';

/** Puts the recipe of a kept run into the form, for the model and the rows that are open, in the place of what was changed there. */
export function startFromRecipe(studio: Studio, { recipe, dataName }: Pick<RunSummary, 'recipe' | 'dataName'>): void {
  const { drafts, project, dataset } = studio;
  const of = project.getState().recipeOf;
  drafts.getState().resetFields(of);
  const { version: _version, model: _model, data_files: _files, mapping, loss_on: loss, ...fields } = recipe;
  const before = project.getState().recipe.values;
  for (const [field, value] of Object.entries(fields)) {
    if (JSON.stringify(value) !== JSON.stringify(before[field])) drafts.getState().setField(of, field, value);
  }
  // Its mapping speaks of its own columns.
  if (dataset.getState().opened?.name === dataName) studio.setMapping({ mapping, loss });
}
