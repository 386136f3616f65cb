import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { AppError } from '#base/errors.ts';
import type { DataCalls, DataEvents } from '#protocol/data.ts';
import { connect, serve } from '#protocol/rpc.ts';
import type { EvaluationMetrics, RunState, StepMetrics, TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import { createStudio, type Studio } from '#studio/studio.ts';
import { createOnlooker } from '#studio/tabs/onlooker.ts';
import { createTabs, type Tabs } from '#studio/tabs/tabs.ts';
import { type TabEnds, TabWorld } from '#studio/tabs/testing/tab-world.ts';
import { FakeData, FakeTrainer } from '#studio/testing/fake-workers.ts';

const ROWS = Array.from({ length: 30 }, (_, i) => JSON.stringify({ message: `Send ${i} lamps`, ticket: `lamp x${i}` })).join('\n');
const RECIPE = { mapping: { kind: 'template', template: '{message}\n{ticket}' }, loss_on: 'answer', held_out: 0, max_steps: 7 };

async function fetchDemoFile(name: string): Promise<Blob> {
  if (name.endsWith('.jsonl')) return new Blob([ROWS]);
  return new Blob([name === 'recipe.json' ? JSON.stringify(RECIPE) : '']);
}

interface Tab extends TabEnds {
  tabs: Tabs;
  /** Of the studio that works here. */
  trainer: FakeTrainer | null;
  written: string[];
}

const ports: MessagePort[] = [];
let world: TabWorld;
let kept: Map<string, string>;

beforeEach(() => {
  world = new TabWorld();
  kept = new Map();
});
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

function openTab(locks: 'locks' | 'none' = 'locks'): Tab {
  const ends = world.open();
  const written: string[] = [];
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => {
      written.push(value);
      kept.set(name, value);
    },
    removeItem() {},
  };
  const createWorking = () => {
    const [forTrainer, forData] = [new MessageChannel(), new MessageChannel()];
    ports.push(forTrainer.port1, forTrainer.port2, forData.port1, forData.port2);
    serve<TrainerCalls, TrainerEvents>(forTrainer.port2, (emit) => (tab.trainer = new FakeTrainer(emit)));
    serve<DataCalls, DataEvents>(forData.port2, () => new FakeData());
    const clients = {
      trainer: connect<TrainerCalls, TrainerEvents>(forTrainer.port1, 'the trainer'),
      data: connect<DataCalls, DataEvents>(forData.port1, 'the data worker'),
    };
    const studio = createStudio({ clients, storage, hasWebGpu: true, fetchDemoFile, goTo() {} });
    return { studio, background: createStore(() => ({ wasHidden: false, share: null })) };
  };
  const tabs = createTabs({
    locks: locks === 'none' ? null : ends.locks,
    channel: ends.channel,
    createWorking,
    createOnlooker: (channel) => createOnlooker(channel, storage),
  });
  const tab: Tab = { ...ends, tabs, trainer: null, written };
  void tabs.begin();
  return tab;
}

const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 10_000, interval: 5 });
const role = ({ tabs }: Tab) => tabs.store.getState().role;
const studioOf = ({ tabs }: Tab): Studio => {
  const { studio } = tabs.store.getState();
  if (studio === null) throw new Error('no studio yet');
  return studio;
};
const runOf = (tab: Tab) => studioOf(tab).run.getState();
const isPlanned = (tab: Tab) => tab.tabs.store.getState().studio?.project.getState().estimate !== null;
const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

/** A tab with the demo open. */
async function openReady(): Promise<Tab> {
  const tab = openTab();
  await until(() => role(tab) === 'working' && isPlanned(tab));
  return tab;
}

async function openLooking(): Promise<Tab> {
  const tab = openTab();
  await until(() => role(tab) === 'looking' && isPlanned(tab));
  return tab;
}

const training = (step: number): RunState => ({ kind: 'training', step, steps: 7, secondsLeft: 1 });
const metrics = (step: number, lossNats = 3 - step / 10): StepMetrics => ({
  step,
  epoch: 0,
  lossNats,
  gradientNorm: 1,
  learningRate: 1,
  lossTokens: 1,
  realTokens: 1,
  tokensPerSecond: 1,
  stepMs: 1,
});
const evaluation = (step: number): EvaluationMetrics => ({
  step,
  epoch: 0,
  lossNats: 2,
  accuracy: 0.5,
  tokens: 9,
  rows: 20,
  isBest: true,
});

async function train(tab: Tab, ...steps: number[]): Promise<void> {
  if (runOf(tab).started === null) await studioOf(tab).startRun();
  for (const step of steps) {
    tab.trainer?.emit('metrics', { runId: 'run-1', steps: [metrics(step)] });
    tab.trainer?.emit('state', training(step));
  }
  const last = steps.at(-1);
  await until(() => runOf(tab).latest?.step === last);
}

describe('a second tab', () => {
  it('sees the project of the one that works', async () => {
    const first = await openReady();
    const second = await openLooking();
    expect(second.trainer).toBeNull();
    const [own, seen] = [studioOf(first), studioOf(second)];
    expect(seen.model.getState().opened).toEqual(own.model.getState().opened);
    expect(seen.device.getState().device).toEqual(own.device.getState().device);
    expect(seen.dataset.getState().prepared).toEqual(own.dataset.getState().prepared);
    expect(seen.project.getState().recipe).toEqual(own.project.getState().recipe);
    own.recipe.setField('learning_rate', 1e-4);
    await until(() => seen.project.getState().recipe.values.learning_rate === 1e-4);
  });

  it('sees a run from its beginning when it comes in the middle, and as it goes on', async () => {
    const first = await openReady();
    await train(first, 1, 2);
    first.trainer?.emit('evaluation', { runId: 'run-1', evaluation: evaluation(2) });
    const second = await openLooking();
    await until(() => studioOf(second).series.length === 2);
    await train(first, 3, 4);
    await until(() => studioOf(second).series.length === 4);
    expect(runOf(second)).toMatchObject({ state: training(4), latest: { step: 4 }, started: { recipe: { max_steps: 7 } } });
    expect(studioOf(second).series.steps).toEqual(studioOf(first).series.steps);
    expect(studioOf(second).series.evaluations).toEqual([evaluation(2)]);

    first.trainer?.emit('answers', { step: 4, total: 4, baseExact: 0, tunedExact: 3, answers: [] });
    await until(() => runOf(second).lastAnswers?.tunedExact === 3);
  });

  it('sees a run go back, and the next one begin anew', async () => {
    const first = await openReady();
    const second = await openLooking();
    await train(first, 1, 2, 3);
    await until(() => studioOf(second).series.length === 3);
    first.trainer?.emit('wentBack', { runId: 'run-1', step: 1 });
    await until(() => studioOf(second).series.length === 1);
    await train(first, 2);
    await until(() => studioOf(second).series.length === 2);
    expect(studioOf(second).series.steps).toEqual(studioOf(first).series.steps);
    first.trainer?.emit('state', { kind: 'done', step: 2, steps: 7, endedBy: 'stopped', adapterStep: 2 });
    await until(() => runOf(second).state.kind === 'done');
    await studioOf(first).startRun();
    await until(() => studioOf(second).series.length === 0);
  });

  it('hears of errors with their codes', async () => {
    const first = await openReady();
    const second = await openLooking();
    first.trainer?.emit('deviceLost', { reason: 'gone', isRecovering: false });
    await until(() => studioOf(second).device.getState().device.kind === 'missing');
    const { device } = studioOf(second).device.getState();
    const error = device.kind === 'missing' ? device.error : null;
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'gpu/device-lost', details: { found: 'gone' } });
  });

  it('sees what base and tuned are asked, and what they say', async () => {
    const first = await openReady();
    const second = await openLooking();
    await until(() => studioOf(second).chat.getState().fields.includes('message'));
    const options = { maxNewTokens: 4, temperature: 0, topK: 1, topP: 1, seed: 1 };
    await studioOf(first)
      .chat.getState()
      .send({ settings: null, fields: { message: 'Two lamps' }, options, hasAdapter: false });
    await until(() => studioOf(second).chat.getState().exchanges[0]?.base.status === 'done');
    expect(studioOf(second).chat.getState().exchanges).toEqual(studioOf(first).chat.getState().exchanges);
  });

  it('is given the rows that it draws', async () => {
    await openReady();
    const [second, third] = [await openLooking(), await openLooking()];
    const [some, others] = await Promise.all([
      studioOf(second).dataset.getState().rows(2, 4),
      studioOf(third).dataset.getState().rows(7, 8),
    ]);
    expect(some).toEqual([
      { message: 'Send 2 lamps', ticket: 'lamp x2' },
      { message: 'Send 3 lamps', ticket: 'lamp x3' },
    ]);
    expect(others).toEqual([{ message: 'Send 7 lamps', ticket: 'lamp x7' }]);
  });

  it('may not touch anything', async () => {
    const first = await openReady();
    await train(first, 1);
    const second = await openLooking();
    await until(() => runOf(second).state.kind === 'training');
    const [pause, stop] = [vi.spyOn(first.trainer!, 'pause'), vi.spyOn(first.trainer!, 'stop')];
    const studio = studioOf(second);
    runOf(second).pause();
    runOf(second).stop();
    studio.recipe.setField('learning_rate', 9);
    await studio.startRun();
    await studio.drop([Object.assign(new File(['{"a": 1}'], 'rows.jsonl'), { path: 'rows.jsonl' })]);
    await settle();
    expect(pause).not.toHaveBeenCalled();
    expect(stop).not.toHaveBeenCalled();
    expect(first.trainer?.started).toHaveLength(1);
    expect(second.written).toEqual([]);
    expect(runOf(second)).toMatchObject({ state: { kind: 'training', step: 1 }, error: null });
    expect(studio.project.getState().recipe.values.learning_rate).not.toBe(9);
    expect(studio.dataset.getState()).toMatchObject({ opened: { isDemo: true }, error: null });
  });
});

describe('when the tab that works is closed', () => {
  it('another one goes on at once where no run was under way', async () => {
    const first = await openReady();
    const [second, third] = [await openLooking(), await openLooking()];
    first.close();
    await until(() => role(second) === 'working' && isPlanned(second));
    expect(second.trainer).not.toBeNull();
    await train(second, 1);
    await until(() => runOf(third).latest?.step === 1);
    expect(role(third)).toBe('looking');
  });

  it('a run that it left is taken over by hand', async () => {
    const first = await openReady();
    const [second, third] = [await openLooking(), await openLooking()];
    await train(first, 1, 2);
    await until(() => runOf(second).latest?.step === 2 && runOf(third).latest?.step === 2);
    first.close();
    await until(() => role(second) === 'vacant' && role(third) === 'vacant');
    expect(runOf(second).state).toEqual(training(2));
    expect([second.trainer, third.trainer]).toEqual([null, null]);
    await Promise.all([second.tabs.takeOver(), third.tabs.takeOver()]);
    expect([role(second), role(third)].sort()).toEqual(['looking', 'working']);
    const [worker, onlooker] = role(second) === 'working' ? [second, third] : [third, second];
    await until(() => isPlanned(worker) && runOf(onlooker).state.kind === 'idle');
  });

  it('is the first to have its run back when it was but reloaded', async () => {
    const first = await openReady();
    const second = await openLooking();
    await train(first, 1);
    await until(() => runOf(second).latest?.step === 1);
    first.close();
    await until(() => role(second) === 'vacant');
    const again = await openReady();
    await until(() => role(second) === 'looking' && runOf(second).state.kind === 'idle');
    await train(again, 1, 2);
    await until(() => runOf(second).latest?.step === 2);
    expect([role(again), role(second)]).toEqual(['working', 'looking']);
  });
});

it('works in every tab where the browser has no locks, or refuses them', async () => {
  const [first, second] = [openTab('none'), openTab('none')];
  await until(() => isPlanned(first) && isPlanned(second));
  expect([role(first), role(second)]).toEqual(['working', 'working']);

  const { channel } = world.open();
  const refused = createTabs({
    locks: { request: () => Promise.reject(new DOMException('no storage here', 'SecurityError')) },
    channel,
    createWorking: () => ({ studio: studioOf(first), background: createStore(() => ({ wasHidden: false, share: null })) }),
    createOnlooker: (own) => createOnlooker(own, { getItem: () => null }),
  });
  await refused.begin();
  expect(refused.store.getState().role).toBe('working');
});
