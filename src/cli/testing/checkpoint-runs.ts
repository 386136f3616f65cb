/** Runs of `loratory finetune` on a tiny model and generated rows, and what they leave in a folder, for tests of checkpoints. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, vi } from 'vitest';
import { AppError } from '#base/errors.ts';
import { finetune } from '#cli/finetune.ts';
import { FIXTURES, type Finished, type RunOptions, runLoratory } from '#cli/testing/run-loratory.ts';
import type { FileStore } from '#storage/file-store.ts';

export const MODEL = join(FIXTURES, 'tiny-llama');

const ITEMS = ['lamp', 'teapot', 'kettle', 'plate', 'bowl', 'cup'];
const CITIES = ['Oslo', 'Porto', 'Leeds', 'Lisbon', 'Turin', 'Ghent', 'Bergen'];
export const ROWS = Array.from({ length: 42 }, (_, i) => ({
  input: `${i + 1} ${ITEMS[i % 6]} to ${CITIES[i % 7]}, ${i % 2 === 0 ? 'please' : 'by Friday if that can be done'}.`,
  kind: i % 3 === 0 ? 'a third' : 'the others',
}));

/** A folder of a test file's own, deleted when it has run. */
export function workFolder(name: string): (...parts: string[]) => string {
  const folder = mkdtempSync(join(tmpdir(), `loratory-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (...parts) => join(folder, ...parts);
}

export function writeRows(path: string, rows: readonly object[] = ROWS): string {
  writeFileSync(path, JSON.stringify(rows));
  return path;
}

export const words = (text: string) => text.split(' ');

/** Dropout, a shuffled order, warmup and cosine, accumulation, epochs of a number of rows that no step divides. */
export const SETTINGS = words(
  '--text_field input --strategy line-by-line --lora_r 4 --lora_dropout 0.2 --learning_rate 1e-2 --lr_scheduler_type cosine ' +
    '--warmup_ratio 0.1 --per_device_train_batch_size 2 --gradient_accumulation_steps 2 --seed 7 --logging_steps 10',
);

/** Fails with what the command said when the exit code is another. */
export async function run(args: readonly string[], code: number | null, options: RunOptions = {}): Promise<Finished> {
  const finished = await runLoratory(args, options);
  if (finished.code !== code) console.error(finished.stderr);
  expect(finished.code).toBe(code);
  return finished;
}

/** What a run that cannot be fails with, in this process: what becomes of an error on the way out is shown elsewhere. */
export async function failureOf(args: readonly string[], openStore?: (root: string) => FileStore): Promise<AppError> {
  const silent = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
  try {
    await finetune(args.slice(1), openStore);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  } finally {
    silent.mockRestore();
  }
  throw new Error('the run ended well, a failure was expected');
}

/** The steps of the checkpoints in a folder, whole or not. */
export const checkpointsIn = (out: string) =>
  readdirSync(out)
    .filter((name) => name.startsWith('checkpoint-'))
    .map((name) => Number(name.slice('checkpoint-'.length)))
    .sort((a, b) => a - b);

export interface State {
  global_step: number;
  best_global_step: number | null;
  best_metric: number | null;
  best_model_checkpoint: string | null;
  log_history: { step: number; loss?: number; eval_loss?: number; eval_mean_token_accuracy?: number }[];
}

export const stateIn = (folder: string) => JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')) as State;
export const resultOf = ({ stdout }: Finished) => JSON.parse(stdout) as Record<string, unknown>;

/** Whether two files have the same bytes. */
export function expectSameBytes(a: string, b: string): void {
  expect([a, b, readFileSync(a).equals(readFileSync(b))]).toEqual([a, b, true]);
}

const RESULTS = ['adapter/adapter_model.safetensors', 'adapter/adapter_config.json'];
const NUMBERS = ['adapter_model.safetensors', 'optimizer.safetensors'];
const STATES = ['trainer_state.json', 'manifest.json'];

/** The adapter and the last checkpoint's numbers; with `states` also what is told of them, the log of losses among it. */
export function expectSameEnd(out: string, whole: string, step: number, { states = true } = {}): void {
  const inCheckpoint = [...NUMBERS, ...(states ? STATES : [])].map((name) => `checkpoint-${step}/${name}`);
  for (const file of [...RESULTS, ...(states ? ['trainer_state.json'] : []), ...inCheckpoint])
    expectSameBytes(join(out, file), join(whole, file));
}
