/** Why a run cannot start, or null when it can. Pure. */
import type { DatasetStore } from '#studio/stores/dataset.ts';
import type { DeviceState } from '#studio/stores/device.ts';
import type { ModelStore } from '#studio/stores/model.ts';
import type { Place } from '#studio/stores/place.ts';
import type { ProjectStore } from '#studio/stores/project.ts';

export interface StartBlock {
  why: 'device' | 'model' | 'opening' | 'data' | 'mapping' | 'rows' | 'preparing' | 'recipe' | 'plan';
  /** Of the recipe, the field that needs mending. */
  field?: string;
  /** Where it is mended. */
  place?: Extract<Place, 'model' | 'data' | 'recipe'>;
}

export interface StartInput {
  device: DeviceState;
  model: Pick<ModelStore, 'opened' | 'opening'>;
  dataset: Pick<DatasetStore, 'opened' | 'opening' | 'prepared' | 'preparing' | 'prepareError'>;
  project: Pick<ProjectStore, 'mapping' | 'recipe' | 'estimateError'>;
}

export function startBlock({ device, model, dataset, project }: StartInput): StartBlock | null {
  if (device.kind === 'missing') return { why: 'device', place: 'model' };
  if (model.opening !== null || device.kind === 'asking') return { why: 'opening' };
  if (model.opened === null) return { why: 'model', place: 'model' };
  if (dataset.opened === null) return dataset.opening === null ? { why: 'data', place: 'data' } : { why: 'preparing' };
  if (project.mapping === null) return { why: 'mapping', place: 'data' };
  if (dataset.prepareError !== null) return { why: 'rows', place: 'data' };
  const issue = project.recipe.issues.find(({ field }) => !field.startsWith('mapping'));
  if (issue !== undefined) return { why: 'recipe', field: issue.field, place: 'recipe' };
  if (project.recipe.recipe === null) return { why: 'mapping', place: 'data' };
  if (dataset.prepared === null) return { why: 'preparing' };
  return project.estimateError === null ? null : { why: 'plan', place: 'recipe' };
}
