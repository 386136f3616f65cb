import { describe, expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import type { RunState, StepMetrics } from '#protocol/trainer.ts';
import { createBackground } from '#studio/run-guard/background.ts';
import { sight } from '#studio/run-guard/testing/sight.ts';
import type { RunStore } from '#studio/stores/run.ts';

const IDLE: RunState = { kind: 'idle' };
const TRAINING: RunState = { kind: 'training', step: 1, steps: 99, secondsLeft: null };
const PAUSED: RunState = { kind: 'paused', step: 1, steps: 99, why: 'user' };

function watched() {
  const page = sight();
  const run = createStore(() => ({ state: IDLE, latest: null as StepMetrics | null }) as RunStore);
  const background = createBackground(run, page);
  let step = 0;
  return {
    page,
    background,
    state: (state: RunState) => run.setState({ state }),
    /** So many steps of 100 tokens. */
    steps: (count: number, stepMs: number) => {
      for (let i = 0; i < count; i++) run.setState({ latest: { step: ++step, realTokens: 100, stepMs } as StepMetrics });
    },
  };
}

describe('a run out of sight', () => {
  it('says nothing of one that was always seen, or hidden with no run or a paused one', () => {
    const { page, background, state, steps } = watched();
    page.set(true);
    page.set(false);
    state(TRAINING);
    steps(20, 1000);
    state(PAUSED);
    page.set(true);
    page.set(false);
    expect(background.getState()).toEqual({ wasHidden: false, share: null });
  });

  it('tells its rate against that in sight, once both are known', () => {
    const { page, background, state, steps } = watched();
    state(TRAINING);
    steps(10, 1000);
    page.set(true);
    expect(background.getState()).toEqual({ wasHidden: true, share: null });
    steps(2, 2000);
    expect(background.getState().share).toBeNull();
    steps(1, 2000);
    expect(background.getState().share).toBeCloseTo(0.5);
    page.set(false);
    steps(1, 2000);
    steps(100, 1000);
    expect(background.getState().share).toBeCloseTo(0.5, 1);
  });

  it('counts a step that was halted with its tab, and told when that was seen again', () => {
    const { page, background, state, steps } = watched();
    state(TRAINING);
    steps(10, 1000);
    page.set(true);
    page.set(false);
    steps(1, 600_000);
    expect(background.getState().share).toBeLessThan(0.01);
  });

  it('begins anew with the next run, which may begin out of sight', () => {
    const { page, background, state, steps } = watched();
    state(TRAINING);
    steps(10, 1000);
    page.set(true);
    steps(10, 5000);
    state({ kind: 'done', step: 20, steps: 20, endedBy: 'steps', adapterStep: 20 });
    expect(background.getState()).toMatchObject({ wasHidden: true });
    page.set(false);
    state(TRAINING);
    expect(background.getState()).toEqual({ wasHidden: false, share: null });
    state(IDLE);
    page.set(true);
    state(TRAINING);
    expect(background.getState()).toEqual({ wasHidden: true, share: null });
  });
});
