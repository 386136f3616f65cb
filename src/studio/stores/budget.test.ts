import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StoreApi } from 'zustand';
import { AppError } from '#base/errors.ts';
import { connect, serve } from '#protocol/rpc.ts';
import type { Budget, TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import { bytesOfGib, type BudgetStore, capOf, createBudgetStore, verdictOf } from '#studio/stores/budget.ts';
import { FakeTrainer } from '#studio/testing/fake-workers.ts';

const budget = (budgetBytes: number | null, reachedCap = false): Budget => ({ budgetBytes, reachedCap, setByUser: false, adapter: 'test' });

describe('the verdict', () => {
  it('is none before anything is known, and then of what is', () => {
    expect(verdictOf(null, null)).toEqual({ kind: 'nothing' });
    expect(verdictOf(null, budget(null))).toEqual({ kind: 'nothing' });
    expect(verdictOf(5, budget(null))).toEqual({ kind: 'unchecked', needBytes: 5 });
    expect(verdictOf(null, budget(7, true))).toEqual({ kind: 'budget', budgetBytes: 7, isLeast: true });
  });

  it('fits up to the last byte of the budget', () => {
    expect(verdictOf(7, budget(7)).kind).toBe('fits');
    expect(verdictOf(8, budget(7)).kind).toBe('tooMuch');
  });

  it('knows nothing of what is beyond a check that got all it asked for', () => {
    expect(verdictOf(8, budget(7, true)).kind).toBe('beyond');
    expect(verdictOf(7, budget(7, true)).kind).toBe('fits');
  });
});

it('takes but a share of what a software adapter computes in', () => {
  expect(capOf({ isSoftware: true }, 8)).toBe(2 * 2 ** 30);
  expect(capOf({ isSoftware: true }, undefined)).toBeUndefined();
  expect(capOf({ isSoftware: false }, 8)).toBeUndefined();
});

it('reads GiB as they are typed', () => {
  expect([bytesOfGib('7.5'), bytesOfGib(' 7,5 GiB '), bytesOfGib('0.25')]).toEqual([7.5 * 2 ** 30, 7.5 * 2 ** 30, 2 ** 28]);
  expect([bytesOfGib(''), bytesOfGib('  ')]).toEqual([null, null]);
  for (const typed of ['0', '-1', 'much', '1e30', 'NaN', '7.5 GB']) expect([typed, bytesOfGib(typed)]).toEqual([typed, undefined]);
});

describe('the check', () => {
  let channel: MessageChannel;
  let trainer: FakeTrainer;
  let store: StoreApi<BudgetStore>;
  beforeEach(() => {
    channel = new MessageChannel();
    serve<TrainerCalls, TrainerEvents>(channel.port2, (emit) => (trainer = new FakeTrainer(emit)));
    store = createBudgetStore(connect(channel.port1, 'the trainer'));
  });
  afterEach(() => {
    channel.port1.close();
    channel.port2.close();
  });

  it('shows how far it is, and then the budget', async () => {
    await store.getState().load();
    expect(store.getState().budget).toMatchObject({ budgetBytes: null });
    let end = (): void => {};
    trainer.probing = new Promise((resolve) => (end = resolve));
    const check = store.getState().check(4);
    await vi.waitUntil(() => (store.getState().checking?.progress ?? null) !== null);
    expect(store.getState().checking?.progress).toMatchObject({ done: 1, total: 4 });
    end();
    await check;
    expect(store.getState()).toMatchObject({ checking: null, error: null, budget: { budgetBytes: 8 } });
  });

  it('says nothing of a check that was cancelled, and why another one failed', async () => {
    trainer.failure = new AppError('run/cancelled', 'cancelled');
    await store.getState().check(undefined);
    expect(store.getState()).toMatchObject({ checking: null, error: null, budget: { budgetBytes: null } });
    trainer.failure = new AppError('run/busy', 'a run is going on');
    await store.getState().check(undefined);
    expect(store.getState()).toMatchObject({ checking: null, error: { code: 'run/busy' }, budget: { budgetBytes: null } });
  });

  it('keeps what is said by hand until it is taken back', async () => {
    await store.getState().set(5);
    expect(store.getState().budget).toMatchObject({ budgetBytes: 5, setByUser: true });
    await store.getState().set(null);
    expect(store.getState().budget).toMatchObject({ budgetBytes: null, setByUser: false });
  });
});
