/** What is kept on this device besides runs: how much of it, models that open without their files, and emptying it. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { DamagedFile, KeptModel, StoragePart, StorageReport } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { Progress } from '#studio/stores/model.ts';

export interface KeepingStore {
  /** Null before it was asked for. */
  report: StorageReport | null;
  models: readonly KeptModel[];
  damaged: readonly DamagedFile[];
  /** A model that is being copied. */
  keeping: { name: string; progress: Progress | null } | null;
  /** The browser was asked not to clear what is kept, and did not promise it. */
  isPersistRefused: boolean;
  /** Why nothing can be kept here, as in a browser without storage. */
  unavailable: AppError | null;
  error: AppError | null;
  refresh: () => Promise<void>;
  /** Copies the model that is open. */
  keepModel: (name: string) => Promise<void>;
  cancel: () => void;
  empty: (part: StoragePart, name?: string) => Promise<void>;
  persist: () => Promise<void>;
  dismissError: () => void;
}

/** @param askToPersist asks the browser not to clear the page's storage by itself */
export function createKeepingStore(trainer: Trainer, askToPersist: () => Promise<boolean> = askBrowser) {
  return createStore<KeepingStore>((set, get) => {
    trainer.on('progress', ({ done, total, perSecond, secondsLeft }) => {
      const { keeping } = get();
      if (keeping !== null) set({ keeping: { ...keeping, progress: { done, total, perSecond, secondsLeft } } });
    });
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        set({ error: null });
        await work();
        await get().refresh();
      } catch (error) {
        set({ error: asAppError(error) });
      }
    };
    return {
      report: null,
      models: [],
      damaged: [],
      keeping: null,
      isPersistRefused: false,
      unavailable: null,
      error: null,
      async refresh() {
        try {
          const [report, { models, damaged }] = await Promise.all([trainer.call('storage'), trainer.call('keptModels')]);
          set({ report, models, damaged, unavailable: null });
        } catch (error) {
          set({ unavailable: asAppError(error) });
        }
      },
      async keepModel(name) {
        set({ keeping: { name, progress: null } });
        await attempt(() => trainer.call('keepModel'));
        set({ keeping: null });
        if (get().error?.code === 'run/cancelled') set({ error: null });
      },
      cancel() {
        if (get().keeping !== null) void trainer.call('cancelOpening');
      },
      empty: (part, name) => attempt(() => trainer.call('emptyStorage', { part, name })),
      persist: () => attempt(async () => set({ isPersistRefused: !(await askToPersist()) })),
      dismissError() {
        set({ error: null });
      },
    };
  });
}

/** Browsers without the question promise nothing. */
async function askBrowser(): Promise<boolean> {
  return 'storage' in navigator && typeof navigator.storage.persist === 'function' ? navigator.storage.persist() : false;
}
