/** The stores of one page and what joins them: drops, the demo, and what has to be made anew when something changes. Knows no component. */
import type { StateStorage } from 'zustand/middleware';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { MappingGuess } from '#protocol/data.ts';
import type { PlanSummary } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { Clients } from '#studio/clients.ts';
import { type Demo, type FetchDemoFile, loadDemo } from '#studio/demo.ts';
import { classifyDrop, type LooksLike, namedFiles } from '#studio/drop/classify.ts';
import { createExportStore } from '#studio/export/export-store.ts';
import { createChatStore } from '#studio/stores/chat.ts';
import { createDatasetStore, type OpenedDataset, type Prepared } from '#studio/stores/dataset.ts';
import { asAppError, createDeviceStore } from '#studio/stores/device.ts';
import { createDraftStore, type RecipeOf } from '#studio/stores/drafts.ts';
import { createModelStore, type ModelSource } from '#studio/stores/model.ts';
import type { Place } from '#studio/stores/place.ts';
import { type ComposedRecipe, composeRecipe } from '#studio/stores/recipe.ts';
import { adapterStep, createRunStore, isActive } from '#studio/stores/run.ts';
import { MetricSeries } from '#studio/train/metric-series.ts';

export interface ProjectStore {
  recipe: ComposedRecipe;
  /** Whose recipe is being changed. */
  recipeOf: RecipeOf;
  mapping: MappingGuess | null;
  /** What the recipe would take on this device. */
  estimate: PlanSummary | null;
  estimateError: AppError | null;
  demoError: AppError | null;
  /** A drop that could not be used, or that would cost an adapter. */
  notice: Notice | null;
}

export type Notice = { kind: 'refused'; name: string; looksLike: LooksLike } | { kind: 'replaces'; model: ModelSource; step: number };

export interface StudioOptions {
  clients: Clients;
  storage: StateStorage;
  hasWebGpu: boolean;
  fetchDemoFile: FetchDemoFile;
  goTo: (place: Place) => void;
}

export type Studio = ReturnType<typeof createStudio>;

/** Reading all rows waits until typing has come to rest. */
const REST_MS = 300;

/** Datasets of one name and the same columns share what was chosen for them. */
export function datasetKey({ name, columns }: Pick<OpenedDataset, 'name' | 'columns'>): string {
  return [name, ...columns].join('\n');
}

export function createStudio({ clients, storage, hasWebGpu, fetchDemoFile, goTo }: StudioOptions) {
  const series = new MetricSeries();
  const device = createDeviceStore(clients.trainer, hasWebGpu);
  const model = createModelStore(clients);
  const dataset = createDatasetStore(clients.data);
  const drafts = createDraftStore(storage);
  const run = createRunStore(clients, series);
  const chat = createChatStore(clients);
  const exports = createExportStore(clients.trainer);
  let demo: Demo | null = null;

  const mappingNow = (): MappingGuess | null => {
    const { opened } = dataset.getState();
    if (opened === null) return null;
    const shipped = opened.isDemo ? demoMapping(demo) : null;
    return drafts.getState().mappings[datasetKey(opened)] ?? shipped ?? opened.guess;
  };
  const recipeOfNow = (): RecipeOf => (model.getState().opened?.isDemo === false ? 'own' : 'demo');
  const compose = (): ComposedRecipe => {
    const of = recipeOfNow();
    return composeRecipe({
      base: of === 'demo' ? (demo?.recipe ?? {}) : {},
      changed: drafts.getState().fields[of],
      mapping: mappingNow(),
      model: model.getState().opened?.summary.name ?? 'none',
      dataFile: dataset.getState().opened?.name ?? 'none',
    });
  };
  const project = createStore<ProjectStore>(() => ({
    recipe: compose(),
    recipeOf: 'demo',
    mapping: null,
    estimate: null,
    estimateError: null,
    demoError: null,
    notice: null,
  }));

  followChanges({ device, model, dataset, drafts, run, chat, project, clients, compose, mappingNow, recipeOfNow });
  clients.trainer.on('deviceLost', ({ isRecovering }) => {
    if (isRecovering) return;
    model.getState().forget();
    run.getState().forget();
    exports.getState().forget();
  });

  const openModel = async (source: ModelSource): Promise<void> => {
    project.setState({ notice: null });
    if (await model.getState().open(source)) {
      run.getState().forget();
      chat.getState().forget();
      exports.getState().forget();
    }
  };

  return {
    device,
    model,
    dataset,
    drafts,
    run,
    chat,
    exports,
    project,
    series,
    /** The device, then the demo project: what a page does first. */
    async begin() {
      await device.getState().open();
      await this.openDemo();
    },
    async openDemo(parts: { model: boolean; data: boolean } = { model: true, data: true }) {
      try {
        demo ??= await loadDemo(fetchDemoFile);
        project.setState({ demoError: null });
        const isComputing = device.getState().device.kind === 'ready';
        await Promise.all([
          parts.data ? dataset.getState().open(demo.dataset) : null,
          parts.model && isComputing ? this.useModel(demo.model) : null,
        ]);
      } catch (error) {
        project.setState({ demoError: asAppError(error) });
      }
    },
    /** Opens a model, unless that would cost an adapter that was trained: then the page asks first. */
    async useModel(source: ModelSource) {
      const { state } = run.getState();
      const step = adapterStep(state) ?? 0;
      if (step > 0 && !isActive(state)) project.setState({ notice: { kind: 'replaces', model: source, step } });
      else await openModel(source);
    },
    replaceModel: openModel,
    async drop(files: readonly File[]) {
      const drop = await classifyDrop(namedFiles(files));
      if (drop.kind === 'refused') {
        project.setState({ notice: drop });
      } else if (drop.kind === 'data') {
        project.setState({ notice: null });
        goTo('data');
        await dataset.getState().open({ ...drop, isDemo: false });
      } else {
        goTo('model');
        await this.useModel({ ...drop, isDemo: false });
      }
    },
    dismissNotice() {
      project.setState({ notice: null });
    },
    setField(field: string, value: unknown) {
      drafts.getState().setField(project.getState().recipeOf, field, value);
    },
    resetFields() {
      drafts.getState().resetFields(project.getState().recipeOf);
    },
    setMapping(mapping: MappingGuess) {
      const { opened } = dataset.getState();
      if (opened !== null) drafts.getState().setMapping(datasetKey(opened), mapping);
    },
    resetMapping() {
      const { opened } = dataset.getState();
      if (opened !== null) drafts.getState().resetMapping(datasetKey(opened));
    },
    /** Changes the recipe and starts, once rows and plan have followed the change. */
    async startWith(change: Partial<Recipe>) {
      const of = project.getState().recipeOf;
      for (const [field, value] of Object.entries(change)) drafts.getState().setField(of, field, value);
      await settled(dataset, ({ preparing }) => preparing === null);
      await this.startRun();
    },
    async startRun() {
      const { prepared } = dataset.getState();
      const { recipe } = project.getState().recipe;
      if (recipe === null || prepared === null) return;
      exports.getState().forget();
      await run.getState().start(recipe, prepared.heldOut, dataset.getState().opened?.name ?? '');
    },
  };
}

/** Resolves when a store is as it is waited for. */
async function settled<T>(store: StoreApi<T>, isSettled: (state: T) => boolean): Promise<void> {
  if (isSettled(store.getState())) return;
  await new Promise<void>((resolve) => {
    const stop = store.subscribe((state) => {
      if (!isSettled(state)) return;
      stop();
      resolve();
    });
  });
}

interface Followed {
  device: ReturnType<typeof createDeviceStore>;
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
}

/** Keeps recipe, preview, sequences, plan and the fields of chat in step with model, dataset and drafts. */
function followChanges({ model, dataset, drafts, run, chat, project, clients, compose, mappingNow, recipeOfNow }: Followed): void {
  const keys = { preview: '', prepare: '', plan: '', fields: '' };
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
    project.setState({ recipe, mapping: mappingNow(), recipeOf: recipeOfNow() });
    const { settings } = recipe;
    const opened = { model: model.getState().opened?.id, data: dataset.getState().opened?.id };
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

/** The mapping that the shipped recipe names. */
function demoMapping(demo: Demo | null): MappingGuess | null {
  const { mapping, loss_on: loss } = demo?.recipe ?? {};
  return mapping === undefined ? null : ({ mapping, loss: loss ?? 'answer' } as MappingGuess);
}
