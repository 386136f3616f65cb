/** The adapter's files as the trainer wrote them last, with a model card, and all of it as one folder in a zip. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { NamedBytes } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { type CardFacts, folderName, modelCard, zipFolder } from '#studio/export/adapter-folder.ts';
import { asAppError } from '#studio/stores/device.ts';

export interface MadeFiles {
  step: number;
  files: NamedBytes[];
  /** The name of the folder, and the zip that it is in. */
  folder: string;
  zip: NamedBytes;
}

export interface ExportStore {
  made: MadeFiles | null;
  isMaking: boolean;
  error: AppError | null;
  make: () => Promise<void>;
  forget: () => void;
}

/** @param facts what the card of the adapter of a step tells; null: there is no card */
export function createExportStore(trainer: Trainer, facts: (step: number) => CardFacts | null) {
  return createStore<ExportStore>((set) => ({
    made: null,
    isMaking: false,
    error: null,
    async make() {
      set({ isMaking: true, error: null });
      try {
        const { files: written, step } = await trainer.call('exportAdapter');
        const known = facts(step);
        const card = known === null ? [] : [{ path: 'README.md', bytes: new TextEncoder().encode(modelCard(known)) }];
        const files = [...written, ...card];
        const folder = folderName(known?.base.name ?? 'adapter');
        const zip = { path: `${folder}.zip`, bytes: await zipFolder(folder, files) };
        set({ made: { step, files, folder, zip }, isMaking: false });
      } catch (error) {
        set({ isMaking: false, error: asAppError(error) });
      }
    },
    forget() {
      set({ made: null, error: null });
    },
  }));
}
