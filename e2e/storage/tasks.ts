/** What the tests of the browser's files ask of a worker, which runs it on the real store. Only tests build this. */
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { type CheckpointFiles, CheckpointFolder, type DamagedCheckpoint } from '#storage/checkpoints.ts';
import { HubDownloads } from '#storage/hub-download.ts';
import { filesToFetch } from '#storage/hub-files.ts';
import { Hub } from '#storage/hub.ts';
import { KeptFiles } from '#storage/models.ts';
import { opfsStore } from '#storage/opfs-store.ts';
import { recordOperations, strike } from '#storage/testing/checkpoint-faults.ts';
import { drawFault, filesBelow, flipByte } from '#storage/testing/faulty-store.ts';
import { storeCases } from '#storage/testing/store-cases.ts';

export interface Tasks {
  /** Every case of `storeCases` by its title, with what was wrong or ''. */
  cases(params: { isWithoutSyncHandles: boolean }): Record<string, string>;
  faults(params: { seed: number; count: number }): { struck: number; problems: string[] };
  /** Writes a file of `sizeBytes`, by the store or as a checkpoint's: the error or null, and which files it left. */
  fill(params: { sizeBytes: number; as: 'file' | 'checkpoint' }): { code: string; expected: number; left: string[] } | null;
  /** Keeps a model of `sizeBytes`; how large its file is for another worker, what `verify` says, and after it was spoilt. */
  model(params: { sizeBytes: number }): { fileBytes: number; damaged: number; damagedAfter: string[] };
  /** Keeps checkpoints, each after the other without an end; `written` says which are answered. */
  keep(params: { fromStep: number }): void;
  /** Fetches a model of a hub, paused once after `pauseAfterBytes`; how many bytes were there then, and what is kept at the end. */
  download(params: { endpoint: string; token: string; id: string; pauseAfterBytes: number }): {
    ended: string;
    pausedBytes: number;
    files: Record<string, number>;
    damaged: number;
  };
  latest(): { step: number | null; isEqual: boolean; damaged: DamagedCheckpoint[] };
}

export type Request = { [T in keyof Tasks]: { task: T; params: Parameters<Tasks[T]>[0] } }[keyof Tasks];

const FOLDER = 'runs/killed';
const LARGE_BYTES = 1_500_000;
const message = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : 'not an error');

/** A store of its own below the origin's folder. */
async function freshStore(name: string) {
  const origin = await navigator.storage.getDirectory();
  await origin.removeEntry(name, { recursive: true }).catch(() => {});
  return opfsStore(await origin.getDirectoryHandle(name, { create: true }));
}

/** Large enough that a kill meets a write. */
function killedFiles(step: number): CheckpointFiles {
  const large = new Uint32Array(LARGE_BYTES / 4).map((_, i) => Math.imul(i + 1, step + 0x9e3779b1));
  return { 'adapter_model.safetensors': new Uint8Array(large.buffer), 'trainer_state.json': new TextEncoder().encode(`{"step":${step}}`) };
}

const tasks: { [T in keyof Tasks]: (params: Parameters<Tasks[T]>[0]) => Promise<ReturnType<Tasks[T]>> } = {
  async cases({ isWithoutSyncHandles }) {
    if (isWithoutSyncHandles) Reflect.deleteProperty(FileSystemFileHandle.prototype, 'createSyncAccessHandle');
    const problems: Record<string, string> = {};
    for (const { title, check } of storeCases) {
      problems[title] = await check(await freshStore('cases')).then(() => '', message);
    }
    return problems;
  },

  async faults({ seed, count }) {
    const operations = await recordOperations(await freshStore('faults'));
    const random = new Random(seed);
    const problems: string[] = [];
    let struck = 0;
    for (let i = 0; i < count; i++) {
      const result = await strike(await freshStore('faults'), drawFault(random, operations));
      problems.push(...result.problems);
      if (result.done !== null) struck++;
    }
    return { struck, problems };
  },

  async fill({ sizeBytes, as }) {
    const store = await freshStore('fill');
    const bytes = new Uint8Array(sizeBytes);
    const writing = as === 'file' ? store.write('large', [bytes]) : new CheckpointFolder(store, 'r').write(1, { large: bytes });
    try {
      await writing;
      return null;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { code: error.code, expected: Number(error.details.expected), left: await filesBelow(store, '') };
    }
  },

  async model({ sizeBytes }) {
    const store = await freshStore('models');
    const models = new KeptFiles(store, 'models');
    const bytes = new Uint8Array(sizeBytes).map((_, i) => i >> 8);
    const { key } = await models.add('m', new Map([['m/model.gguf', memorySource('m/model.gguf', bytes)]]));
    const path = models.pathOf(key, 'm/model.gguf');
    const damaged = (await models.verify(key)).length;
    const { size } = await store.file(path);
    await flipByte(store, path, sizeBytes - 1, 1);
    return { fileBytes: size, damaged, damagedAfter: (await models.verify(key)).map((file) => file.path.replace(key, 'KEY')) };
  },

  async keep({ fromStep }) {
    const checkpoints = new CheckpointFolder(opfsStore(), FOLDER);
    for (let step = fromStep; ; step++) {
      await checkpoints.write(step, killedFiles(step));
      postMessage({ written: step });
      await checkpoints.prune(2, []);
    }
  },

  async download({ endpoint, token, id, pauseAfterBytes }) {
    const store = await freshStore('hub');
    const hub = new Hub({ endpoint, token });
    const model = await hub.model(id);
    const downloads = new HubDownloads(store);
    const pause = new AbortController();
    const onProgress = ({ doneBytes }: { doneBytes: number }) => doneBytes >= pauseAfterBytes && pause.abort();
    const ended = await downloads.fetch(hub, model, filesToFetch(model), { onProgress, signal: pause.signal }).then(
      () => 'whole',
      (error: unknown) => (error instanceof AppError ? error.code : message(error)),
    );
    const [left] = await downloads.unfinished();
    const { key, files } = await downloads.fetch(hub, model, filesToFetch(model));
    const sizes = Object.fromEntries(Object.entries(files).map(([path, { sizeBytes }]) => [path, sizeBytes]));
    const damaged = (await new KeptFiles(store, 'models').verify(key)).length;
    return { ended, pausedBytes: left?.doneBytes ?? 0, files: sizes, damaged };
  },

  async latest() {
    const { step, files, damaged } = await new CheckpointFolder(opfsStore(), FOLDER).latest();
    if (step === null) return { step, isEqual: false, damaged };
    const isEqual = Object.entries(killedFiles(step)).every(([name, bytes]) => {
      return files[name].byteLength === bytes.byteLength && bytes.every((byte, i) => byte === files[name][i]);
    });
    return { step, isEqual, damaged };
  },
};

addEventListener('message', ({ data: { task, params } }: MessageEvent<Request>) => {
  const run = tasks[task] as (params: unknown) => Promise<unknown>;
  run(params).then(
    (value) => postMessage({ value }),
    (error: unknown) => postMessage({ error: message(error) }),
  );
});
