/** What has to be made anew when something changes: preview, sequences, plan, and the fields of chat. Knows no component. */
import type { StoreApi } from 'zustand/vanilla';
import type { MappingGuess } from '#protocol/data.ts';
import type { Surroundings } from '#recipe/presets.ts';
import type { Clients } from '#studio/clients.ts';
import type { createChatStore } from '#studio/stores/chat.ts';
import type { createDatasetStore, Prepared } from '#studio/stores/dataset.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { createDraftStore, RecipeOf } from '#studio/stores/drafts.ts';
import type { createModelStore } from '#studio/stores/model.ts';
import type { ProjectStore } from '#studio/stores/project.ts';
import type { ComposedRecipe } from '#studio/stores/recipe.ts';
import { type createRunStore, isActive } from '#studio/stores/run.ts';

/** Reading all rows waits until typing has come to rest. */
const REST_MS = 300;

export interface Followed {
  model: ReturnType<typeof createModelStore>;
  dataset: ReturnType<typeof createDatasetStore>;
  drafts: ReturnType<typeof createDraftStore>;
  run: ReturnType<typeof createRunStore>;
  chat: ReturnType<typeof createChatStore>;
  project: StoreApi<ProjectStore>;
  clients: Clients;
  compose: () => ComposedRecipe;
  mappingNow: () => MappingGuess | null;
  recipeOfNow: () => RecipeOf;
  surroundingsNow: () => Surroundings;
}

/** Keeps recipe, preview, sequences, plan and the fields of chat in step with model, dataset and drafts. */
export function followChanges(followed: Followed): void {
  const { model, dataset, drafts, run, chat, project, clients, compose, mappingNow, recipeOfNow, surroundingsNow } = followed;
  const keys = { preview: '', prepare: '', plan: '', fields: '', history: '' };
  const isNew = (name: keyof typeof keys, ...parts: unknown[]): boolean => {
    const key = JSON.stringify(parts);
    const hasChanged = keys[name] !== key;
    keys[name] = key;
    return hasChanged;
  };
  let resting: ReturnType<typeof setTimeout> | undefined;
  let plans = 0;

  const makePlan = async (recipe: ComposedRecipe['recipe'], prepared: Prepared | null): Promise<void> => {
    const turn = ++plans;
    if (recipe === null || prepared === null) {
      project.setState({ estimate: null, estimateError: null });
      return;
    }
    try {
      const { rowLengths, validationLengths, heldOut } = prepared;
      const estimate = await clients.trainer.call('plan', { recipe, rowLengths, validationLengths, heldOut });
      if (turn === plans) project.setState({ estimate, estimateError: null });
    } catch (error) {
      if (turn === plans) project.setState({ estimate: null, estimateError: asAppError(error) });
    }
  };

  const follow = (): void => {
    const recipe = compose();
    project.setState({ recipe, mapping: mappingNow(), recipeOf: recipeOfNow(), surroundings: surroundingsNow() });
    const { settings } = recipe;
    const opened = { model: model.getState().opened?.id, data: dataset.getState().opened?.id };
    if (isNew('history', opened)) drafts.getState().forgetHistory();
    const { row, prepared } = dataset.getState();
    const answeredRows = drafts.getState().answeredRows[recipeOfNow()];
    const isReady = opened.model !== undefined && opened.data !== undefined && settings !== null;
    if (isNew('preview', opened, settings, row) && isReady) void dataset.getState().makePreview(settings);
    if (isNew('prepare', opened, settings, answeredRows)) {
      clearTimeout(resting);
      if (isReady) {
        const isFirst = prepared === null && dataset.getState().preparing === null;
        const prepare = () => void dataset.getState().prepare(settings, answeredRows);
        if (isFirst) {
          prepare();
        } else {
          dataset.getState().expectPrepare();
          resting = setTimeout(prepare, REST_MS);
        }
      }
    }
    if (isNew('fields', opened, settings?.mapping) && opened.model !== undefined) void chat.getState().askForFields(settings);
    const isPlannable = !isActive(run.getState().state) && opened.model !== undefined;
    // A prepared result is a new object each time; its identity is the number of times that it was new.
    if (isPlannable && isNew('plan', opened, recipe.recipe, preparedNumber(prepared))) void makePlan(recipe.recipe, prepared);
  };
  const numbers = new WeakMap<object, number>();
  let nextNumber = 1;
  const preparedNumber = (prepared: object | null): number => {
    if (prepared === null) return 0;
    const number = numbers.get(prepared) ?? nextNumber++;
    numbers.set(prepared, number);
    return number;
  };
  model.subscribe(follow);
  dataset.subscribe(follow);
  drafts.subscribe(follow);
  run.subscribe((now, before) => {
    if (isActive(now.state) !== isActive(before.state)) follow();
  });
}
