/** A session over the tiny fixture that a test watches and disturbs: its events, its device, its store. */
import { readFileSync, readdirSync } from 'node:fs';
import type { NamedFile, PackedRows, RunState, StartParams, TrainerEvents } from '#protocol/trainer.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { Session } from '#run/session.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { type WatchedGpu, watchedGpu } from '#run/testing/watched-gpu.ts';
import { type FileStore, readWhole } from '#storage/file-store.ts';

const FOLDER = new URL('../../cli/fixtures/tiny-llama/', import.meta.url);
export const tinyFiles = (): NamedFile[] =>
  readdirSync(FOLDER).map((path) => ({ path, file: new Blob([readFileSync(new URL(path, FOLDER))]) }));

export const STEPS = 40;
const recipe = (said: Partial<Recipe>): Recipe => ({
  ...DEFAULTS,
  model: 'tiny-llama',
  data_files: ['rows'],
  mapping: { kind: 'text', column: 'text' },
  loss_on: 'all',
  lora_r: 4,
  lora_dropout: 0.1,
  per_device_train_batch_size: 2,
  max_steps: STEPS,
  save_steps: 7,
  learning_rate: 1e-2,
  ...said,
});

/** Rows of lengths that differ, so that steps take several capacities. */
function rows(count: number): PackedRows {
  const lengths = Array.from({ length: count }, (_, i) => 5 + ((i * 7) % 23));
  const offsets = Uint32Array.from({ length: count + 1 }, (_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  const total = offsets[count];
  const lossMask = new Uint8Array(total).fill(1);
  for (const start of offsets.subarray(0, count)) lossMask[start] = 0;
  return { tokens: Uint32Array.from({ length: total }, (_, i) => 10 + ((i * i) % 90)), lossMask, offsets };
}

export const tinyRun = (said: Partial<Recipe> = {}): StartParams => ({
  recipe: recipe(said),
  rows: rows(9),
  validation: { ...rows(24), rowCount: 24 },
  heldOut: [{ row: 0, promptText: 'x', prompt: Uint32Array.from([10, 11]), expected: 'no such answer' }],
  dataName: 'rows',
});

type Heard = { [E in keyof TrainerEvents]?: TrainerEvents[E][] };

export class WatchedSession {
  readonly gpu: WatchedGpu = watchedGpu();
  readonly heard: Heard = {};
  readonly #waiting: { test: () => boolean; resolve: () => void }[] = [];
  readonly session: Session;

  /** `store`: where runs are kept; none: nowhere. */
  constructor(store: FileStore | null = null) {
    const blobOf = async (path: string) => new Blob([(await readWhole(store as FileStore, path)) as Uint8Array<ArrayBuffer>]);
    this.session = new Session(
      this.gpu.entry,
      (event, data) => {
        ((this.heard[event] ??= []) as (typeof data)[]).push(data);
        for (const { test, resolve } of this.#waiting) if (test()) resolve();
      },
      store && new StoredArchive(store, blobOf),
    );
  }

  async open(): Promise<this> {
    await this.session.openModel({ name: 'tiny', files: tinyFiles() });
    return this;
  }

  get state(): RunState {
    return this.heard.state!.at(-1)!;
  }

  get steps(): number[] {
    return (this.heard.metrics ?? []).flatMap(({ steps }) => steps.map(({ step }) => step));
  }

  until(test: () => boolean): Promise<void> {
    return test() ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ test, resolve }));
  }

  over(): Promise<void> {
    return this.until(() => this.state.kind === 'done' || this.state.kind === 'failed');
  }

  lose(): void {
    this.gpu.devices.at(-1)!.destroy();
  }

  async adapter(): Promise<string> {
    const { files: exported } = await this.session.exportAdapter();
    return Buffer.from(exported.find(({ path }) => path === 'adapter_model.safetensors')!.bytes).toString('hex');
  }
}

export function lengthsOf({ offsets }: PackedRows): Uint32Array {
  return Uint32Array.from({ length: offsets.length - 1 }, (_, i) => offsets[i + 1] - offsets[i]);
}
