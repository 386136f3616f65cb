/** The adapter's files as the trainer wrote them last. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { NamedBytes } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';

export interface ExportStore {
  made: { files: NamedBytes[]; step: number } | null;
  isMaking: boolean;
  error: AppError | null;
  make: () => Promise<void>;
  forget: () => void;
}

export function createExportStore(trainer: Trainer) {
  return createStore<ExportStore>((set) => ({
    made: null,
    isMaking: false,
    error: null,
    async make() {
      set({ isMaking: true, error: null });
      try {
        set({ made: await trainer.call('exportAdapter'), isMaking: false });
      } catch (error) {
        set({ isMaking: false, error: asAppError(error) });
      }
    },
    forget() {
      set({ made: null, error: null });
    },
  }));
}
