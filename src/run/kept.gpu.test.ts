import { afterEach, describe, expect, it } from 'vitest';
import type { RunState } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { STEPS, WatchedSession, lengthsOf, tinyFiles, tinyRun } from '#run/testing/watched-session.ts';
import { readWhole } from '#storage/file-store.ts';
import { FaultyStore, filesBelow, flipByte } from '#storage/testing/faulty-store.ts';
import { type MemoryStore, memoryStore } from '#storage/testing/memory-store.ts';

/** Adapter and optimizer of a kept run's newest checkpoint, byte for byte. */
async function lastCheckpoint(store: MemoryStore, step = STEPS): Promise<Record<string, string>> {
  const [folder] = (await store.list('runs')).map(({ name }) => `runs/${name}/checkpoints/${step}`);
  const names = ['adapter_model.safetensors', 'optimizer.safetensors'];
  const entries = await Promise.all(
    names.map(async (name) => [name, Buffer.from(await readWhole(store, `${folder}/${name}`)).toString('hex')]),
  );
  return Object.fromEntries(entries) as Record<string, string>;
}

describe('a run that is kept', () => {
  const opened: WatchedSession[] = [];
  afterEach(async () => {
    for (const watched of opened.splice(0)) await watched.session.close();
  });

  const open = (store: ConstructorParameters<typeof WatchedSession>[0]) => {
    const watched = new WatchedSession(store);
    opened.push(watched);
    return watched.open();
  };

  async function whole(said: Partial<Recipe> = {}): Promise<{ store: MemoryStore; watched: WatchedSession }> {
    const store = memoryStore();
    const watched = await open(store);
    await watched.session.start(tinyRun(said));
    await watched.over();
    return { store, watched };
  }

  /** A session that is left in the middle of its run, as a closed tab leaves it. */
  async function leftAfter(step: number, store: MemoryStore | FaultyStore, said: Partial<Recipe> = {}): Promise<void> {
    const watched = await open(store);
    await watched.session.start(tinyRun(said));
    await watched.until(() => (watched.heard.saved ?? []).some((saved) => saved.step >= step));
    await watched.session.close();
  }

  it('is listed with what it is of, and its history is what was measured', async () => {
    const { watched } = await whole();
    const { runs, damaged } = await watched.session.runs();
    expect(damaged).toEqual([]);
    expect(runs).toMatchObject([
      { name: 'tiny, rows', state: 'done', step: STEPS, steps: STEPS, modelName: 'tiny', dataName: 'rows', rowCount: 9 },
    ]);
    expect(runs[0].checkpoints.at(-1)).toBe(STEPS);
    expect(runs[0].checkpoints.length).toBeLessThanOrEqual(3);
    expect(runs[0].recipe).toEqual(tinyRun().recipe);
    const history = await watched.session.history({ runId: runs[0].id });
    expect(history.steps).toEqual(watched.heard.metrics!.flatMap(({ steps }) => steps));
    expect(history.evaluations).toEqual(watched.heard.evaluation!.map(({ evaluation }) => evaluation));
    expect(history.evaluations.at(-1)!.step).toBe(STEPS);
  }, 120_000);

  it('goes on in another session with the bits of the run that never stopped, and so does its history', async () => {
    const expected = await lastCheckpoint((await whole()).store);
    const store = memoryStore();
    await leftAfter(14, store);
    const again = await open(store);
    const [run] = (await again.session.runs()).runs;
    expect(run.state).toBe('running');
    const resumed = await again.session.resumeRun({ runId: run.id });
    expect(resumed.fromStep).toBe(run.checkpoints.at(-1));
    expect(resumed.damaged).toEqual([]);
    expect(resumed.recipe).toEqual(tinyRun().recipe);
    expect(resumed.heldOut).toEqual(tinyRun().heldOut);
    await again.over();
    expect(again.state).toMatchObject({ kind: 'done', endedBy: 'steps' });
    expect(again.steps[0]).toBe(resumed.fromStep + 1);
    expect(await lastCheckpoint(store)).toEqual(expected);
    const { steps, evaluations } = await again.session.history({ runId: run.id });
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    expect(evaluations.map(({ step }) => step)).toEqual(Array.from({ length: 10 }, (_, i) => 4 * (i + 1)));
    expect((await again.session.runs()).runs[0].state).toBe('done');
  }, 120_000);

  it('opens without training: the same adapter answers and leaves, also after the device was lost', async () => {
    const { store, watched } = await whole();
    const adapter = await watched.adapter();
    const again = await open(store);
    const [run] = (await again.session.runs()).runs;
    const opened = await again.session.openRun({ runId: run.id });
    expect(opened).toMatchObject({ step: STEPS, recipe: tinyRun().recipe, damaged: [] });
    expect(again.state).toMatchObject({ kind: 'done', step: STEPS, endedBy: 'steps', adapterStep: STEPS });
    expect(await again.adapter()).toBe(adapter);
    again.lose();
    await again.until(() => again.heard.deviceBack !== undefined);
    expect(await again.adapter()).toBe(adapter);
    expect(again.steps).toEqual([]);
  }, 120_000);

  it('keeps the best adapter on the device after a loss', async () => {
    const run = tinyRun({ load_best_model_at_end: true });
    // Other tokens than those that are learnt: they become less likely with every step.
    const validation = run.validation && { ...run.validation, tokens: run.validation.tokens.map((token) => token + 100) };
    const watched = await open(memoryStore());
    await watched.session.start({ ...run, validation });
    await watched.over();
    const done = watched.state as Extract<RunState, { kind: 'done' }>;
    expect(done.adapterStep).toBeLessThan(STEPS);
    const adapter = await watched.adapter();
    watched.lose();
    await watched.until(() => watched.heard.deviceBack !== undefined);
    expect(watched.heard.deviceBack).toEqual([{ adapterStep: done.adapterStep }]);
    expect(await watched.adapter()).toBe(adapter);
  }, 120_000);

  it('passes over a damaged checkpoint, names its file, and ends in the same bits', async () => {
    const expected = await lastCheckpoint((await whole()).store);
    const store = memoryStore();
    await leftAfter(21, store);
    const again = await open(store);
    const [run] = (await again.session.runs()).runs;
    const path = `runs/${run.id}/checkpoints/${run.checkpoints.at(-1)}/optimizer.safetensors`;
    await flipByte(store, path, 5000, 4);
    const resumed = await again.session.resumeRun({ runId: run.id });
    expect(resumed.damaged).toMatchObject([{ path }]);
    expect(resumed.fromStep).toBe(run.checkpoints.at(-2));
    await again.over();
    expect(await lastCheckpoint(store)).toEqual(expected);
  }, 120_000);

  it('trains further when it is over, and refuses another model by name', async () => {
    const longer = await lastCheckpoint(
      (await whole({ max_steps: STEPS + 7, lr_scheduler_type: 'constant', eval_strategy: 'no' })).store,
      STEPS + 7,
    );
    const { store, watched } = await whole({ lr_scheduler_type: 'constant', eval_strategy: 'no' });
    const [run] = (await watched.session.runs()).runs;
    const { fromStep, plan } = await watched.session.resumeRun({ runId: run.id, maxSteps: STEPS + 7 });
    expect([fromStep, plan.steps]).toEqual([STEPS, STEPS + 7]);
    await watched.over();
    expect(await lastCheckpoint(store, STEPS + 7)).toEqual(longer);
    expect((await watched.session.runs()).runs).toMatchObject([{ step: STEPS + 7, steps: STEPS + 7, state: 'done' }]);

    const other = tinyFiles().map(({ path, file }) => ({ path, file: path === 'tokenizer_config.json' ? new Blob([file, ' ']) : file }));
    await watched.session.openModel({ name: 'another', files: other });
    await expect(watched.session.resumeRun({ runId: run.id })).rejects.toMatchObject({
      code: 'run/other-model',
      details: { found: 'another', expected: 'tiny' },
    });
    await expect(watched.session.resumeRun({ runId: 'no-such-run' })).rejects.toMatchObject({ code: 'storage/not-found' });
  }, 120_000);

  it('pauses when the disk is full, says so, and loses nothing once there is room', async () => {
    const { store: roomy } = await whole();
    const expected = await lastCheckpoint(roomy);
    const recording = new FaultyStore(memoryStore());
    await leftAfter(14, recording);
    const bytes = recording.operations.reduce((sum, { kind, sizeBytes }) => (kind === 'remove' ? sum : sum + sizeBytes), 0);
    const store = memoryStore();
    const watched = await open(new FaultyStore(store, { kind: 'full', bytes: Math.round(bytes * 0.7), isTold: true }));
    await watched.session.start(tinyRun());
    await watched.until(() => watched.state.kind === 'paused');
    expect(watched.state).toMatchObject({ kind: 'paused', why: 'not-saved' } satisfies Partial<RunState>);
    expect(watched.heard.notSaved!.at(-1)!.error.code).toBe('storage/quota');
    await watched.session.close();
    const again = await open(store);
    const [run] = (await again.session.runs()).runs;
    await again.session.resumeRun({ runId: run.id });
    await again.over();
    expect(await lastCheckpoint(store)).toEqual(expected);
  }, 120_000);

  it('trains on in memory when it cannot be kept at all, and says so', async () => {
    const watched = await open(new FaultyStore(memoryStore(), { kind: 'full', bytes: 10, isTold: true }));
    await watched.session.start(tinyRun());
    await watched.over();
    expect(watched.heard.notSaved).toMatchObject([{ step: 0, error: { code: 'storage/quota' } }]);
    expect(watched.state).toMatchObject({ kind: 'done', endedBy: 'steps' });
    expect((await watched.session.runs()).runs).toEqual([]);
  }, 120_000);
});

describe('a model that is kept', () => {
  it('opens again from the store with the same key, and a changed byte of it is named', async () => {
    const store = memoryStore();
    const watched = await new WatchedSession(store).open();
    const summary = await watched.session.plan({ recipe: tinyRun().recipe, rowLengths: lengthsOf(tinyRun().rows) });
    const kept = await watched.session.keepModel();
    expect((await watched.session.keptModels()).models).toEqual([kept]);
    expect(kept.sizeBytes).toBe(tinyFiles().reduce((sum, { file }) => sum + file.size, 0));
    const { name, files } = await watched.session.keptModelFiles({ key: kept.key });
    const reopened = await watched.session.openModel({ name, files });
    expect(reopened.key).toBe(kept.key);
    expect(await watched.session.plan({ recipe: tinyRun().recipe, rowLengths: lengthsOf(tinyRun().rows) })).toEqual(summary);

    const path = `models/${kept.key}/files/model.safetensors`;
    await flipByte(store, path, 40_000, 1);
    await expect(watched.session.keptModelFiles({ key: kept.key })).rejects.toMatchObject({
      code: 'storage/damaged',
      details: { file: path },
    });

    const report = await watched.session.storage();
    expect(report.parts.find(({ part }) => part === 'models')!.items).toMatchObject([{ name: kept.key, title: 'tiny' }]);
    await watched.session.emptyStorage({ part: 'models', name: kept.key });
    expect(await filesBelow(store, '')).toEqual([]);
    await watched.session.close();
  }, 120_000);
});
