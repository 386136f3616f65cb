/** The stores of one page and what joins them: drops, the demo, and what has to be made anew when something changes. Knows no component. */
import type { StateStorage } from 'zustand/middleware';
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { MappingGuess } from '#protocol/data.ts';
import type { StoragePart } from '#protocol/trainer.ts';
import { defaultsFor, type Surroundings } from '#recipe/presets.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { Clients } from '#studio/clients.ts';
import { type Demo, type FetchDemoFile, loadDemo } from '#studio/demo.ts';
import { classifyDrop, namedFiles } from '#studio/drop/classify.ts';
import type { PathHandle } from '#studio/drop/handles.ts';
import { cardFacts } from '#studio/export/card-facts.ts';
import { createExportStore } from '#studio/export/export-store.ts';
import { followChanges } from '#studio/follow-changes.ts';
import { recipeActions } from '#studio/recipe/actions.ts';
import { createBudgetStore } from '#studio/stores/budget.ts';
import { createChatStore } from '#studio/stores/chat.ts';
import { createDatasetStore, type OpenedDataset } from '#studio/stores/dataset.ts';
import { asAppError, createDeviceStore } from '#studio/stores/device.ts';
import { createDraftStore, type RecipeOf } from '#studio/stores/drafts.ts';
import { createGoingOnStore } from '#studio/stores/going-on.ts';
import { createKeepingStore } from '#studio/stores/keeping.ts';
import { createModelStore, type ModelSource } from '#studio/stores/model.ts';
import { createPaceStore, followPace } from '#studio/stores/pace.ts';
import type { Place } from '#studio/stores/place.ts';
import type { ProjectStore } from '#studio/stores/project.ts';
import { type ComposedRecipe, composeRecipe } from '#studio/stores/recipe.ts';
import { adapterStep, createRunStore, isActive } from '#studio/stores/run.ts';
import { createRememberedStore, databaseHandles, type HandleStore } from '#studio/stores/remembered.ts';
import { createRunsStore } from '#studio/stores/runs.ts';
import { MetricSeries } from '#studio/train/metric-series.ts';

export interface StudioOptions {
  clients: Clients;
  storage: StateStorage;
  hasWebGpu: boolean;
  fetchDemoFile: FetchDemoFile;
  goTo: (place: Place) => void;
  /** Where the handles of dropped models are kept; null: nowhere. */
  handles?: HandleStore | null;
}

export type Studio = ReturnType<typeof createStudio>;

/** Datasets of one name and the same columns share what was chosen for them. */
export function datasetKey({ name, columns }: Pick<OpenedDataset, 'name' | 'columns'>): string {
  return [name, ...columns].join('\n');
}

export function createStudio({ clients, storage, hasWebGpu, fetchDemoFile, goTo, handles = databaseHandles() }: StudioOptions) {
  const series = new MetricSeries();
  const device = createDeviceStore(clients.trainer, hasWebGpu);
  const model = createModelStore(clients);
  const dataset = createDatasetStore(clients.data);
  const drafts = createDraftStore(storage);
  const run = createRunStore(clients, series);
  const chat = createChatStore(clients);
  const exports = createExportStore(clients.trainer, (step) => cardFacts({ model, run, runs, series }, step));
  const runs = createRunsStore(clients.trainer);
  const keeping = createKeepingStore(clients.trainer);
  const remembered = createRememberedStore(handles);
  const budget = createBudgetStore(clients.trainer);
  const pace = createPaceStore(storage);
  let demo: Demo | null = null;
  let demoKey: string | null = null;
  let beginning = Promise.resolve();

  const mappingNow = (): MappingGuess | null => {
    const { opened } = dataset.getState();
    if (opened === null) return null;
    const shipped = opened.isDemo ? demoMapping(demo) : null;
    return drafts.getState().mappings[datasetKey(opened)] ?? shipped ?? opened.guess;
  };
  const recipeOfNow = (): RecipeOf => (model.getState().opened?.isDemo === false ? 'own' : 'demo');
  const surroundingsNow = (): Surroundings => {
    const { opened } = dataset.getState();
    return {
      parameterCount: model.getState().opened?.summary.parameterCount ?? null,
      rowCount: opened?.rowCount ?? null,
      hasHeldOutFile: opened !== null && opened.heldOut !== null,
    };
  };
  const compose = (): ComposedRecipe => {
    const of = recipeOfNow();
    return composeRecipe({
      base: of === 'demo' ? (demo?.recipe ?? {}) : { ...defaultsFor(surroundingsNow()) },
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
    surroundings: surroundingsNow(),
    recipeFile: null,
    estimate: null,
    estimateError: null,
    demoError: null,
    notice: null,
  }));

  followChanges({ model, dataset, drafts, run, chat, project, clients, compose, mappingNow, recipeOfNow, surroundingsNow });
  followPace({ pace, trainer: clients.trainer, run, model, device });
  const recipe = recipeActions({ drafts, project, dataset, datasetKey });
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
      const { key, name } = model.getState().opened?.summary ?? { key: '', name: '' };
      if (source.isDemo) demoKey = key;
      else if (source.handles !== undefined && source.handles.length > 0)
        void remembered.getState().remember({ key, name, handles: source.handles });
      await goingOn.getState().modelOpened();
    }
  };
  const goingOn = createGoingOnStore({
    trainer: clients.trainer,
    model,
    run,
    openModel,
    demoModel: (key) => (key === demoKey ? (demo?.model ?? null) : null),
    firstModel: () => beginning,
    rememberedModel: (key) => remembered.getState().open(key),
    show: () => goTo('train'),
  });
  run.subscribe((now, before) => {
    if (isActive(now.state) === isActive(before.state) && now.runId === before.runId) return;
    void runs.getState().refresh();
    void keeping.getState().refresh();
  });

  return {
    device,
    model,
    dataset,
    drafts,
    run,
    chat,
    exports,
    runs,
    keeping,
    remembered,
    budget,
    pace,
    goingOn,
    project,
    series,
    /** The device, then the demo project, and what was left from another day: what a page does first. */
    async begin() {
      beginning = this.openFirst();
      await beginning;
    },
    async openFirst() {
      await device.getState().open();
      await Promise.all([this.openDemo(), runs.getState().refresh(), keeping.getState().refresh(), remembered.getState().refresh()]);
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
    /** Opens a model that is kept on this device. */
    async openKeptModel(key: string) {
      try {
        const source = await clients.trainer.call('keptModelFiles', { key });
        await this.useModel({ ...source, isDemo: false });
      } catch (error) {
        keeping.setState({ error: asAppError(error) });
      }
    },
    /** @param handles of the same files, where the browser gives them */
    async drop(files: readonly File[], handles: Promise<PathHandle[]> = Promise.resolve([])) {
      const drop = await classifyDrop(namedFiles(files));
      if (drop.kind === 'refused') {
        project.setState({ notice: drop });
      } else if (drop.kind === 'data') {
        project.setState({ notice: null });
        goTo('data');
        await dataset.getState().open({ ...drop, isDemo: false });
      } else if (drop.kind === 'recipe') {
        project.setState({ notice: null });
        goTo('recipe');
        await recipe.openFile(drop.file);
      } else {
        goTo('model');
        await this.useModel({ ...drop, isDemo: false, handles: await handles });
      }
    },
    dismissNotice() {
      project.setState({ notice: null });
    },
    recipe,
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
      drafts.getState().setFields(project.getState().recipeOf, change);
      await settled(dataset, ({ preparing }) => preparing === null);
      await this.startRun();
    },
    /** Opens a model that was dropped on another day, when its permission is given again. */
    async openRemembered(key: string) {
      try {
        const source = await remembered.getState().open(key);
        if (source !== null) await this.useModel(source);
      } catch (error) {
        keeping.setState({ error: asAppError(error) });
      }
    },
    async removeRun(id: string) {
      if (await runs.getState().remove(id)) await keeping.getState().refresh();
    },
    async emptyStorage(part: StoragePart, name?: string) {
      await keeping.getState().empty(part, name);
      await runs.getState().refresh();
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

/** The mapping that the shipped recipe names. */
function demoMapping(demo: Demo | null): MappingGuess | null {
  const { mapping, loss_on: loss } = demo?.recipe ?? {};
  return mapping === undefined ? null : ({ mapping, loss: loss ?? 'answer' } as MappingGuess);
}
