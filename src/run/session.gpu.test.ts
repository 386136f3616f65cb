import { readFileSync, readdirSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { readPeftAdapter } from '#export/peft-adapter.ts';
import type { HeldOutRow, NamedFile, PackedRows, RunState, StartParams, TrainerEvents } from '#protocol/trainer.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { Session } from '#run/session.ts';

const FOLDER = new URL('../cli/fixtures/tiny-llama/', import.meta.url);
const files = (): NamedFile[] => readdirSync(FOLDER).map((path) => ({ path, file: new Blob([readFileSync(new URL(path, FOLDER))]) }));

const recipe = (said: Partial<Recipe> = {}): Recipe => ({
  ...DEFAULTS,
  model: 'tiny-llama',
  data_files: ['rows'],
  mapping: { kind: 'text', column: 'text' },
  lora_r: 4,
  per_device_train_batch_size: 2,
  max_steps: 30,
  learning_rate: 1e-2,
  ...said,
});

/** Rows that repeat three tokens: quickly learnt. */
function rows(count = 6): PackedRows {
  const length = 9;
  return {
    tokens: Uint32Array.from({ length: count * length }, (_, i) => 10 + (i % 3)),
    lossMask: Uint8Array.from({ length: count * length }, (_, i) => (i % length === 0 ? 0 : 1)),
    offsets: Uint32Array.from({ length: count + 1 }, (_, i) => i * length),
  };
}

const heldOut: HeldOutRow[] = [{ row: 3, promptText: 'x', prompt: Uint32Array.from([10, 11]), expected: 'no such answer' }];

const params = (said: Partial<Recipe> = {}): StartParams => ({
  recipe: recipe(said),
  rows: rows(),
  validation: null,
  heldOut,
  dataName: 'rows',
});

type Heard = { [E in keyof TrainerEvents]?: TrainerEvents[E][] };

describe('Session', () => {
  let heard: Heard;
  let session: Session;
  let waiting: { kind: RunState['kind']; resolve: () => void }[];

  beforeEach(() => {
    heard = {};
    waiting = [];
    session = new Session(nodeGpu(), (event, data) => {
      ((heard[event] ??= []) as (typeof data)[]).push(data);
      if (event !== 'state') return;
      const { kind } = data as RunState;
      for (const { resolve } of waiting.filter((w) => w.kind === kind)) resolve();
      waiting = waiting.filter((w) => w.kind !== kind);
    });
  });

  const until = (kind: RunState['kind']) => new Promise<void>((resolve) => waiting.push({ kind, resolve }));

  it('says what is open, plans, trains, answers, chats and exports', async () => {
    const summary = await session.openModel({ name: 'tiny', files: files() });
    expect(summary).toMatchObject({ name: 'tiny', architecture: 'llama', layers: 2 });
    expect(summary.weightBytes).toBeGreaterThan(0);
    expect(heard.progress?.at(-1)).toMatchObject({ what: 'tiny', unit: 'bytes', done: summary.weightBytes, total: summary.weightBytes });
    const plan = await session.plan({ recipe: recipe(), rowLengths: new Uint32Array(6).fill(9) });
    expect(plan.steps).toBe(30);
    const done = until('done');
    const started = await session.start(params());
    expect(started.plan.totalBytes).toBeGreaterThan(plan.totalBytes);
    await done;
    const steps = heard.metrics!.flatMap((m) => m.steps);
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(steps.at(-1)!.lossNats).toBeLessThan(0.5 * steps[0].lossNats);
    expect(heard.metrics!.every(({ runId }) => runId === started.runId)).toBe(true);
    expect(heard.answers!.map(({ step }) => step)).toEqual([0, 8, 15, 23, 30]);
    expect(heard.answers!.at(-1)).toMatchObject({ total: 1, baseExact: 0, tunedExact: 0 });
    expect(heard.answers!.at(-1)!.answers[0].tuned).not.toBe(heard.answers!.at(-1)!.answers[0].base);
    const memory = await session.memory();
    expect(memory.planBytes).toBe(started.plan.totalBytes);
    expect(Math.abs(memory.liveBytes / memory.planBytes - 1)).toBeLessThan(0.02);

    const ask = { prompt: 'a', maxNewTokens: 8, temperature: 0, topK: 0, topP: 1, seed: 1 };
    const base = await session.generate({ ...ask, side: 'base', id: 1 });
    const tuned = await session.generate({ ...ask, side: 'tuned', id: 2 });
    expect(base.tokens).toBe(8);
    expect(tuned.text).not.toBe(base.text);
    const streamed = heard.token!.filter(({ id }) => id === 2).map(({ text }) => text);
    expect(tuned.text.startsWith(streamed.join(''))).toBe(true);
    const sampled = { ...ask, temperature: 1.5, topK: 40, side: 'base' as const };
    expect((await session.generate({ ...sampled, id: 3 })).text).toBe((await session.generate({ ...sampled, id: 4 })).text);

    const { files: exported, step } = await session.exportAdapter();
    expect(step).toBe(30);
    const text = new TextDecoder().decode(exported.find(({ path }) => path === 'adapter_config.json')!.bytes);
    const weights = exported.find(({ path }) => path === 'adapter_model.safetensors')!.bytes;
    const adapter = await readPeftAdapter(text, memorySource('adapter_model.safetensors', weights));
    expect(adapter.config).toMatchObject({ r: 4, loraAlpha: 32, baseModel: 'tiny' });
    expect(adapter.modules.some(({ b }) => b.some((value) => value !== 0))).toBe(true);
  }, 300_000);

  it("counts each run's peak by itself", async () => {
    await session.openModel({ name: 'tiny', files: files() });
    for (const rank of [256, 1]) {
      const done = until('done');
      await session.start({ ...params({ lora_r: rank, max_steps: 2 }), heldOut: [] });
      await done;
      const { peakBytes, planBytes } = await session.memory();
      expect(Math.abs(peakBytes / planBytes - 1)).toBeLessThan(0.02);
    }
  }, 120_000);

  it('pauses, resumes and stops, and keeps the adapter of a stopped run', async () => {
    await session.openModel({ name: 'tiny', files: files() });
    const paused = until('paused');
    await session.start({ ...params({ max_steps: 5000 }), heldOut: [] });
    session.pause();
    await paused;
    const at = (heard.state!.at(-1) as { step: number }).step;
    await expect(session.openModel({ name: 'other', files: files() })).rejects.toMatchObject({ code: 'run/busy' });
    await expect(session.start({ ...params(), heldOut: [] })).rejects.toMatchObject({ code: 'run/busy' });
    const training = until('training');
    session.resume();
    await training;
    const done = until('done');
    session.stop();
    await done;
    expect(heard.state!.at(-1)).toMatchObject({ kind: 'done', endedBy: 'stopped', steps: 5000 });
    expect((heard.state!.at(-1) as { step: number }).step).toBeGreaterThanOrEqual(at);
    expect((await session.exportAdapter()).files).toHaveLength(2);
  }, 120_000);

  it('keeps the open model when another cannot be read, and names what is missing', async () => {
    await expect(session.plan({ recipe: recipe(), rowLengths: new Uint32Array([9]) })).rejects.toMatchObject({ code: 'run/no-model' });
    await session.openModel({ name: 'tiny', files: files() });
    const broken = files().map(({ path, file }) => ({ path, file: path === 'model.safetensors' ? file.slice(0, 5000) : file }));
    await expect(session.openModel({ name: 'broken', files: broken })).rejects.toThrow(/model.safetensors/);
    await expect(session.openModel({ name: 'empty', files: files().filter(({ path }) => path !== 'config.json') })).rejects.toThrow(
      /config.json/,
    );
    expect((await session.plan({ recipe: recipe(), rowLengths: new Uint32Array([9]) })).steps).toBe(30);
    await expect(session.plan({ recipe: recipe({ target_modules: ['c_attn'] }), rowLengths: new Uint32Array([9]) })).rejects.toThrow(
      /target_modules is c_attn/,
    );
    await expect(session.exportAdapter()).rejects.toMatchObject({ code: 'run/no-adapter' });
    await expect(session.start({ ...params(), rows: { ...rows(), lossMask: new Uint8Array(54) }, heldOut: [] })).resolves.toBeDefined();
  }, 120_000);

  it('says that there is no WebGPU', async () => {
    const none = new Session(undefined, () => {});
    await expect(none.openDevice()).rejects.toMatchObject({ code: 'gpu/no-webgpu' });
  });
});
