/** Models that were opened from the disk: their handles are kept, and the permission to read them is asked for again. Copies nothing. */
import { createStore } from 'zustand/vanilla';
import { AppError } from '#base/errors.ts';
import { filesOf, mayRead, type PathHandle } from '#studio/drop/handles.ts';
import type { ModelSource } from '#studio/stores/model.ts';

export interface RememberedModel {
  /** Fingerprint of its files. */
  key: string;
  name: string;
  handles: PathHandle[];
}

/** Where handles outlive the page. */
export interface HandleStore {
  all(): Promise<RememberedModel[]>;
  put(model: RememberedModel): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface RememberedStore {
  models: readonly RememberedModel[];
  refresh: () => Promise<void>;
  remember: (model: RememberedModel) => Promise<void>;
  forget: (key: string) => Promise<void>;
  /**
   * Reads the files again; null for a model that is not remembered. To be called while a click is being answered.
   * @throws AppError `storage/failed` when the user or the disk refuses
   */
  open: (key: string) => Promise<ModelSource | null>;
}

/** @param handles null where the browser has no place for them: nothing is remembered */
export function createRememberedStore(handles: HandleStore | null) {
  return createStore<RememberedStore>((set, get) => {
    // What cannot be remembered has to be dropped again: that is no error of what the user wanted.
    const quietly = async (work: () => Promise<void> | undefined): Promise<void> => {
      try {
        await work();
      } catch {
        return;
      }
    };
    return {
      models: [],
      refresh: () => quietly(async () => set({ models: (await handles?.all()) ?? [] })),
      async remember(model) {
        await quietly(() => handles?.put(model));
        await get().refresh();
      },
      async forget(key) {
        await quietly(() => handles?.remove(key));
        await get().refresh();
      },
      async open(key) {
        const model = get().models.find((each) => each.key === key);
        if (model === undefined) return null;
        const { name, handles: kept } = model;
        try {
          if (await mayRead(kept)) return { name, files: await filesOf(kept), isDemo: false, handles: kept };
        } catch (cause) {
          throw new AppError('storage/failed', `${name}: it is no longer where it was; drop it again`, { file: name }, cause);
        }
        throw new AppError('storage/failed', `${name}: the browser was not allowed to read it again`, { file: name });
      },
    };
  });
}

const DATABASE = 'loratory';
const TABLE = 'model-handles';

/** The browser's database; null where there is none. */
export function databaseHandles(): HandleStore | null {
  if (typeof indexedDB === 'undefined') return null;
  const run = async <T>(mode: IDBTransactionMode, work: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore(TABLE, { keyPath: 'key' }));
    const database = await answerOf(opening);
    try {
      return await answerOf(work(database.transaction(TABLE, mode).objectStore(TABLE)));
    } finally {
      database.close();
    }
  };
  return {
    all: () => run('readonly', (table) => table.getAll() as IDBRequest<RememberedModel[]>),
    async put(model) {
      await run('readwrite', (table) => table.put(model));
    },
    async remove(key) {
      await run('readwrite', (table) => table.delete(key));
    },
  };
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('the database gave no answer')));
  });
}
