/** Going on with a kept run: finds its model, opens it, and hands over to the trainer. What it cannot find it waits for. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { RunSummary } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { ModelSource, ModelStore } from '#studio/stores/model.ts';
import type { RunStore } from '#studio/stores/run.ts';

/** A kept run, and what is to become of it. */
export interface Wish {
  run: RunSummary;
  /** How many steps it is to have, where not those that it has. */
  maxSteps?: number;
  /** Its adapter is to be asked and downloaded; nothing is trained. */
  isOpenedOnly?: boolean;
}

export interface GoingOnStore {
  /** The run that goes on once its model was opened, which is neither open nor kept. */
  waiting: Wish | null;
  /** The run whose model is being opened. */
  opening: Wish | null;
  error: AppError | null;
  goOn: (wish: Wish) => Promise<void>;
  /** A model was opened: if it is the one that was waited for, its run goes on. */
  modelOpened: () => Promise<void>;
  cancel: () => void;
}

interface Parts {
  trainer: Trainer;
  model: StoreApi<ModelStore>;
  run: StoreApi<RunStore>;
  openModel: (source: ModelSource) => Promise<void>;
  /** The demo's model, if it is the one with this fingerprint. */
  demoModel: (key: string) => ModelSource | null;
  /** A model that was dropped on another day, if its permission is given again. */
  rememberedModel: (key: string) => Promise<ModelSource | null>;
  /** Resolves when the model that a page opens by itself is open: it would take the place of the run's own. */
  firstModel: () => Promise<void>;
  /** Where the run is to be seen. */
  show: () => void;
}

export function createGoingOnStore({ trainer, model, run, openModel, demoModel, rememberedModel, firstModel, show }: Parts) {
  return createStore<GoingOnStore>((set, get) => {
    const isOpen = (key: string): boolean => model.getState().opened?.summary.key === key;
    const begin = async ({ run: kept, maxSteps, isOpenedOnly }: Wish): Promise<void> => {
      set({ waiting: null, opening: null });
      show();
      if (isOpenedOnly === true) await run.getState().open(kept.id);
      else await run.getState().goOn(kept.id, maxSteps);
    };
    const keptModel = async (key: string): Promise<ModelSource | null> => {
      const { models } = await trainer.call('keptModels');
      if (!models.some((each) => each.key === key)) return null;
      return { ...(await trainer.call('keptModelFiles', { key })), isDemo: false };
    };
    return {
      waiting: null,
      opening: null,
      error: null,
      async goOn(wish) {
        const key = wish.run.modelKey;
        set({ waiting: null, opening: wish, error: null });
        await firstModel();
        // Meanwhile it may have gone on with that model, or was left.
        if (get().opening !== wish) return;
        if (isOpen(key)) {
          await begin(wish);
          return;
        }
        try {
          const source = demoModel(key) ?? (await keptModel(key)) ?? (await rememberedModel(key));
          // `modelOpened` goes on when it is the right one.
          if (source !== null && get().opening === wish) await openModel(source);
        } catch (error) {
          set({ error: asAppError(error) });
        }
        if (get().opening === wish) set({ opening: null, waiting: wish });
      },
      async modelOpened() {
        const wish = get().opening ?? get().waiting;
        if (wish !== null && isOpen(wish.run.modelKey)) await begin(wish);
      },
      cancel() {
        set({ waiting: null, opening: null, error: null });
      },
    };
  });
}
