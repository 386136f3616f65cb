import { afterEach, expect, it } from 'vitest';
import type { TrainerEvents } from '#protocol/trainer.ts';
import { Budgets } from '#run/budget.ts';
import { Session } from '#run/session.ts';
import { watchedGpu } from '#run/testing/watched-gpu.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const MIB = 2 ** 20;
const CAP = 512 * MIB;

let session: Session;
afterEach(() => session.close());

it('checks the device on another one, tells how far it is, and keeps the answer for the next visit', async () => {
  const gpu = watchedGpu();
  const store = memoryStore();
  const told: TrainerEvents['progress'][] = [];
  session = new Session(
    gpu.entry,
    (event, data) => event === 'progress' && told.push(data as TrainerEvents['progress']),
    null,
    new Budgets(store),
  );
  expect(await session.budget()).toMatchObject({ budgetBytes: null, setByUser: false });
  expect(await session.probeBudget({ capBytes: CAP })).toEqual({ budgetBytes: CAP, reachedCap: true });
  expect(told.map(({ done, total, unit }) => [done / MIB, total / MIB, unit])).toEqual([
    [256, 512, 'bytes'],
    [512, 512, 'bytes'],
  ]);
  expect(gpu.devices).toHaveLength(2);
  expect((await session.memory()).peakBytes).toBe(0);
  await session.close();

  session = new Session(gpu.entry, () => {}, null, new Budgets(store));
  const known = await session.budget();
  expect(known).toMatchObject({ budgetBytes: CAP, reachedCap: true, setByUser: false });
  expect(known.adapter).not.toBe('');
});

it('outlives the loss of the device that is checked', async () => {
  const gpu = watchedGpu();
  const lost: unknown[] = [];
  session = new Session(gpu.entry, (event, data) => {
    if (event === 'progress') gpu.devices[1].destroy();
    if (event === 'deviceLost') lost.push(data);
  });
  expect(await session.probeBudget({ capBytes: CAP })).toEqual({ budgetBytes: CAP / 2, reachedCap: false });
  expect(lost).toEqual([]);
  expect(await session.budget()).toMatchObject({ budgetBytes: CAP / 2 });
});

it('ends when it is cancelled, with nothing learnt', async () => {
  const gpu = watchedGpu();
  session = new Session(gpu.entry, (event) => event === 'progress' && session.cancelProbe());
  await expect(session.probeBudget({ capBytes: CAP })).rejects.toMatchObject({ code: 'run/cancelled' });
  expect(await session.budget()).toMatchObject({ budgetBytes: null });
});
