/** The dataset that is open: its columns, the row that is looked at, and what became of its rows. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { DataSettings, DatasetSummary, PreparedData, Preview } from '#protocol/data.ts';
import type { HeldOutRow, NamedFile } from '#protocol/trainer.ts';
import type { DataWorker } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { Progress } from '#studio/stores/model.ts';

export interface DatasetSource {
  file: NamedFile;
  heldOut?: NamedFile;
  isDemo: boolean;
}

export interface OpenedDataset extends DatasetSummary {
  id: number;
  isDemo: boolean;
}

export interface Prepared extends PreparedData {
  /** What base and tuned will be asked. */
  heldOut: HeldOutRow[];
}

export interface DatasetStore {
  opened: OpenedDataset | null;
  opening: string | null;
  error: AppError | null;
  /** The row that is looked at, from 0. */
  row: number;
  /** The last one that could be made; an error beside it says why it is not of the present settings. */
  preview: Preview | null;
  previewError: AppError | null;
  prepared: Prepared | null;
  /** Null progress: it has just begun. */
  preparing: { progress: Progress | null } | null;
  prepareError: AppError | null;
  open: (source: DatasetSource) => Promise<boolean>;
  dismissError: () => void;
  showRow: (row: number) => void;
  rows: (start: number, end: number) => Promise<Record<string, unknown>[]>;
  makePreview: (settings: DataSettings) => Promise<void>;
  /** What was prepared is of other settings; `prepare` comes when they have come to rest. */
  expectPrepare: () => void;
  prepare: (settings: DataSettings, answeredRows: number) => Promise<void>;
}

export function createDatasetStore(data: DataWorker) {
  return createStore<DatasetStore>((set, get) => {
    let nextId = 1;
    let previews = 0;
    let prepares = 0;
    data.on('progress', (progress) => {
      if (get().preparing !== null) set({ preparing: { progress } });
    });
    return {
      opened: null,
      opening: null,
      error: null,
      row: 0,
      preview: null,
      previewError: null,
      prepared: null,
      preparing: null,
      prepareError: null,
      async open({ file, heldOut, isDemo }) {
        set({ opening: file.path, error: null });
        try {
          const summary = await data.call('openDataset', { ...file, heldOut });
          previews++;
          prepares++;
          const fresh = { row: 0, preview: null, previewError: null, prepared: null, preparing: null, prepareError: null };
          set({ ...fresh, opened: { ...summary, id: nextId++, isDemo }, opening: null });
          return true;
        } catch (error) {
          set({ opening: null, error: asAppError(error) });
          return false;
        }
      },
      dismissError() {
        set({ error: null });
      },
      showRow(row) {
        const last = (get().opened?.rowCount ?? 1) - 1;
        set({ row: Math.max(0, Math.min(last, row)) });
      },
      rows: (start, end) => data.call('rows', { start, end }),
      async makePreview(settings) {
        const turn = ++previews;
        try {
          const preview = await data.call('preview', { row: get().row, settings });
          if (turn === previews) set({ preview, previewError: null });
        } catch (error) {
          if (turn === previews) set({ previewError: asAppError(error) });
        }
      },
      expectPrepare() {
        prepares++;
        set({ prepared: null, preparing: { progress: null }, prepareError: null });
      },
      async prepare(settings, answeredRows) {
        get().expectPrepare();
        const turn = prepares;
        try {
          const prepared = await data.call('prepare', { settings });
          const heldOut = await data.call('heldOut', { limit: answeredRows });
          if (turn === prepares) set({ prepared: { ...prepared, heldOut }, preparing: null });
        } catch (error) {
          if (turn === prepares) set({ preparing: null, prepareError: asAppError(error) });
        }
      },
    };
  });
}
