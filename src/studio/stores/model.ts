/** The model that is open: what the trainer and the data worker said of its files. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { TokenizerSummary } from '#protocol/data.ts';
import type { ModelSummary, NamedFile, TrainerEvents } from '#protocol/trainer.ts';
import type { Clients } from '#studio/clients.ts';
import type { PathHandle } from '#studio/drop/handles.ts';
import { asAppError } from '#studio/stores/device.ts';

export interface ModelSource {
  name: string;
  files: NamedFile[];
  isDemo: boolean;
  /** To read the files again on another day, where the browser gives them. */
  handles?: PathHandle[];
}

export interface OpenedModel {
  /** Counts models, so that what was made of another is told apart. */
  id: number;
  isDemo: boolean;
  summary: ModelSummary;
  tokenizer: TokenizerSummary;
}

export type Progress = Omit<TrainerEvents['progress'], 'what' | 'unit'>;

export interface ModelStore {
  opened: OpenedModel | null;
  opening: { name: string; progress: Progress | null } | null;
  error: AppError | null;
  /** Whether it was opened. What was open before stays where the new files are of no use. */
  open: (source: ModelSource) => Promise<boolean>;
  cancel: () => void;
  dismissError: () => void;
  /** The device went, and the weights with it. */
  forget: () => void;
}

export function createModelStore({ trainer, data }: Clients) {
  return createStore<ModelStore>((set, get) => {
    trainer.on('progress', ({ done, total, perSecond, secondsLeft }) => {
      const { opening } = get();
      if (opening !== null) set({ opening: { ...opening, progress: { done, total, perSecond, secondsLeft } } });
    });
    let nextId = 1;
    return {
      opened: null,
      opening: null,
      error: null,
      async open({ name, files, isDemo }) {
        set({ opening: { name, progress: null }, error: null });
        try {
          const summary = await trainer.call('openModel', { name, files });
          // The trainer has read the same tokenizer already, so the one here follows the model and never the other way round.
          const tokenizer = await data.call('openTokenizer', { name, files });
          set({ opened: { id: nextId++, isDemo, summary, tokenizer }, opening: null });
          return true;
        } catch (reason) {
          const error = asAppError(reason);
          // Weights had begun to move in, so those that were there before are gone.
          const isReplaced = get().opening?.progress !== null || error.code === 'run/cancelled' || error.code.startsWith('gpu/');
          set({ opening: null, error: error.code === 'run/cancelled' ? null : error, ...(isReplaced ? { opened: null } : {}) });
          return false;
        }
      },
      cancel() {
        if (get().opening !== null) void trainer.call('cancelOpening');
      },
      dismissError() {
        set({ error: null });
      },
      forget() {
        set({ opened: null });
      },
    };
  });
}
