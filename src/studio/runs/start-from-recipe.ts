/** The recipe of a kept run as the start of another. Knows stores, no component. */
import type { RunSummary } from '#protocol/trainer.ts';
import { datasetKey, type Studio } from '#studio/studio.ts';

/**
 * Puts the recipe of a kept run into the form, for the model and the rows that are open, in the place of what was changed there: one
 * change, which can be undone.
 */
export function startFromRecipe(studio: Studio, { recipe, dataName }: Pick<RunSummary, 'recipe' | 'dataName'>): void {
  const { drafts, project, dataset } = studio;
  const { version: _version, model: _model, data_files: _files, mapping, loss_on: loss, ...fields } = recipe;
  const { given } = project.getState().recipe;
  const changed = Object.entries(fields).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(given[field]));
  const { opened } = dataset.getState();
  // Its mapping speaks of its own columns.
  const itsMapping = opened?.name === dataName ? { dataset: datasetKey(opened), mapping: { mapping, loss } } : null;
  drafts.getState().replaceRecipe(project.getState().recipeOf, Object.fromEntries(changed), itsMapping);
}
