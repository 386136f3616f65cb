import { afterEach, describe, expect, it } from 'vitest';
import type { RunState } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';
import { STEPS, WatchedSession, lengthsOf, tinyRun } from '#run/testing/watched-session.ts';

describe('a session whose device is lost', () => {
  const opened: WatchedSession[] = [];
  afterEach(async () => {
    for (const watched of opened.splice(0)) await watched.session.close();
  });

  async function open(): Promise<WatchedSession> {
    const watched = new WatchedSession(memoryStore());
    opened.push(watched);
    return watched.open();
  }

  async function undisturbed(said: Partial<Recipe> = {}): Promise<string> {
    const watched = await open();
    await watched.session.start(tinyRun(said));
    await watched.over();
    expect(watched.state).toMatchObject({ kind: 'done', endedBy: 'steps', adapterStep: STEPS });
    return watched.adapter();
  }

  it('goes on by itself from the last checkpoint, with the bits of the run that lost nothing', async () => {
    const expected = await undisturbed();
    const watched = await open();
    await watched.session.start(tinyRun());
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
    await watched.session.start(tinyRun({ save_strategy: 'no' }));
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
    await watched.session.start(tinyRun());
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
    await watched.session.start(tinyRun());
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
    await watched.session.start(tinyRun({ max_steps: 5000, save_strategy: 'no' }));
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
      return ++pops % 2 === 0 ? { message: 'no memory left' } : found;
    };
    const asked = tinyRun({ per_device_train_batch_size: 4 });
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
