import { readFileSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { NamedFile, PackedRows, RunState, StartParams, TrainerEvents } from '#protocol/trainer.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { Session } from '#run/session.ts';
import { type WatchedGpu, watchedGpu } from '#run/testing/watched-gpu.ts';

const FOLDER = new URL('../cli/fixtures/tiny-llama/', import.meta.url);
const files = (): NamedFile[] => readdirSync(FOLDER).map((path) => ({ path, file: new Blob([readFileSync(new URL(path, FOLDER))]) }));

const STEPS = 40;
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

const params = (said: Partial<Recipe> = {}): StartParams => ({
  recipe: recipe(said),
  rows: rows(9),
  validation: { ...rows(24), rowCount: 24 },
  heldOut: [{ row: 0, promptText: 'x', prompt: Uint32Array.from([10, 11]), expected: 'no such answer' }],
  dataName: 'rows',
});

type Heard = { [E in keyof TrainerEvents]?: TrainerEvents[E][] };

class Watched {
  readonly gpu: WatchedGpu = watchedGpu();
  readonly heard: Heard = {};
  readonly #waiting: { test: () => boolean; resolve: () => void }[] = [];
  readonly session = new Session(this.gpu.entry, (event, data) => {
    ((this.heard[event] ??= []) as (typeof data)[]).push(data);
    for (const { test, resolve } of this.#waiting) if (test()) resolve();
  });

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

describe('a session whose device is lost', () => {
  const opened: Watched[] = [];
  afterEach(async () => {
    for (const watched of opened.splice(0)) await watched.session.close();
  });

  async function open(): Promise<Watched> {
    const watched = new Watched();
    opened.push(watched);
    await watched.session.openModel({ name: 'tiny', files: files() });
    return watched;
  }

  async function undisturbed(said: Partial<Recipe> = {}): Promise<string> {
    const watched = await open();
    await watched.session.start(params(said));
    await watched.over();
    expect(watched.state).toMatchObject({ kind: 'done', endedBy: 'steps', adapterStep: STEPS });
    return watched.adapter();
  }

  it('goes on by itself from the last checkpoint, with the bits of the run that lost nothing', async () => {
    const expected = await undisturbed();
    const watched = await open();
    await watched.session.start(params());
    await watched.until(() => (watched.heard.saved ?? []).some(({ step }) => step >= 14));
    watched.lose();
    await watched.over();
    expect(watched.state).toMatchObject({ kind: 'done', endedBy: 'steps', adapterStep: STEPS });
    expect(watched.heard.deviceLost).toMatchObject([{ isRecovering: true }]);
    expect(watched.heard.state!.some(({ kind }) => kind === 'recovering')).toBe(true);
    const [{ step }] = watched.heard.wentBack!;
    expect(step).toBeGreaterThanOrEqual(14);
    expect(step).toBeLessThan(STEPS);
    expect(step % 7).toBe(0);
    // Every step after the checkpoint was measured, those before it not again.
    expect(watched.steps.slice(watched.steps.lastIndexOf(step + 1))).toEqual(Array.from({ length: STEPS - step }, (_, i) => step + 1 + i));
    expect(await watched.adapter()).toBe(expected);
    expect(watched.gpu.devices).toHaveLength(2);
  }, 120_000);

  it('begins again when there was no checkpoint yet, and keeps the wish to stop or to pause', async () => {
    const expected = await undisturbed({ save_strategy: 'no' });
    const watched = await open();
    await watched.session.start(params({ save_strategy: 'no' }));
    await watched.until(() => watched.steps.length >= 3);
    watched.lose();
    watched.session.pause();
    await watched.until(() => watched.state.kind === 'paused' && watched.heard.wentBack !== undefined);
    expect(watched.heard.wentBack).toMatchObject([{ step: 0 }]);
    watched.session.resume();
    await watched.over();
    expect(await watched.adapter()).toBe(expected);
  }, 120_000);

  it('may be lost while the run is paused: it goes on from what the pause had saved', async () => {
    const expected = await undisturbed();
    const watched = await open();
    await watched.session.start(params());
    await watched.until(() => watched.steps.length >= 3);
    watched.session.pause();
    await watched.until(() => watched.state.kind === 'paused' && watched.heard.saved !== undefined);
    const paused = watched.state as Extract<RunState, { kind: 'paused' }>;
    watched.lose();
    await watched.until(() => watched.heard.wentBack !== undefined && watched.state.kind === 'paused');
    watched.session.resume();
    await watched.over();
    expect(watched.heard.wentBack).toMatchObject([{ step: paused.step }]);
    expect(await watched.adapter()).toBe(expected);
  }, 120_000);

  it('gives a finished run its adapter back, and answers again', async () => {
    const watched = await open();
    await watched.session.start(params());
    await watched.over();
    const before = await watched.adapter();
    const ask = { prompt: 'a', maxNewTokens: 4, temperature: 0, topK: 0, topP: 1, seed: 1 };
    const said = await watched.session.generate({ ...ask, side: 'tuned', id: 1 });
    watched.lose();
    await watched.until(() => watched.heard.deviceBack !== undefined);
    expect(watched.heard.deviceBack).toEqual([{ adapterStep: STEPS }]);
    expect(await watched.adapter()).toBe(before);
    expect((await watched.session.generate({ ...ask, side: 'tuned', id: 2 })).text).toBe(said.text);
  }, 120_000);

  it('gives up when devices are lost one after another, and says so', async () => {
    const watched = await open();
    await watched.session.start(params({ max_steps: 5000, save_strategy: 'no' }));
    for (let i = 0; i < 4; i++) {
      const steps = watched.steps.length;
      await watched.until(() => watched.gpu.devices.length === i + 1 && watched.steps.length > steps);
      watched.lose();
    }
    await watched.over();
    expect(watched.state).toMatchObject({ kind: 'failed', error: { code: 'gpu/device-lost' } });
  }, 120_000);

  it('names what would fit when memory is not enough, with bytes that the planner then finds', async () => {
    const watched = await open();
    const device = watched.gpu.devices[0];
    const pop = device.popErrorScope.bind(device);
    // The inner scope is of validation, the outer one of memory: every second pop is the one that fails.
    let pops = 0;
    device.popErrorScope = async () => {
      const found = await pop();
      return ++pops % 2 === 0 ? ({ message: 'no memory left' } as GPUError) : found;
    };
    const asked = params({ per_device_train_batch_size: 4 });
    await expect(watched.session.start(asked)).rejects.toMatchObject({ code: 'gpu/out-of-memory' });
    const failed = watched.state as Extract<RunState, { kind: 'failed' }>;
    expect(failed.kind).toBe('failed');
    expect(failed.remedies.length).toBeGreaterThan(0);
    device.popErrorScope = pop;
    for (const { change, totalBytes, insteadOfBytes } of failed.remedies) {
      expect(totalBytes).toBeLessThan(insteadOfBytes);
      if ('max_seq_len' in change) continue;
      const plan = await watched.session.plan({ recipe: { ...asked.recipe, ...change }, rowLengths: lengthsOf(asked.rows) });
      expect(plan.totalBytes).toBe(totalBytes);
    }
    const [{ change }] = failed.remedies;
    await watched.session.start({ ...asked, recipe: { ...asked.recipe, ...change } });
    await watched.over();
    expect(watched.state.kind).toBe('done');
  }, 120_000);
});

function lengthsOf({ offsets }: PackedRows): Uint32Array {
  return Uint32Array.from({ length: offsets.length - 1 }, (_, i) => offsets[i + 1] - offsets[i]);
}
