/** What became of a run while its tab was out of sight: whether it was at all, and how fast it went against when it was seen. Pure but for its store. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { RunState, StepMetrics } from '#protocol/trainer.ts';
import type { Sight } from '#studio/run-guard/wake-lock.ts';
import { isActive, type RunStore } from '#studio/stores/run.ts';

export interface BackgroundStore {
  /** Whether the tab was out of sight while the run computed. */
  wasHidden: boolean;
  /** Rate out of sight by rate in sight; null while either was seen too briefly to tell. */
  share: number | null;
}

type Step = Pick<StepMetrics, 'step' | 'realTokens' | 'stepMs'>;

/** A few seconds in sight and out of it: single steps differ. */
const LEAST_MS = 5_000;
const NOTHING: BackgroundStore = { wasHidden: false, share: null };

/** Whether the device works on the run: not while it is paused. */
export function isComputing(state: RunState): boolean {
  return isActive(state) && state.kind !== 'paused';
}

/** A rate that is so much lower is told as slower. */
export const SLOW_SHARE = 0.7;

export function createBackground(run: Pick<StoreApi<RunStore>, 'subscribe'>, sight: Sight): StoreApi<BackgroundStore> {
  const store = createStore<BackgroundStore>(() => NOTHING);
  let inSight = { tokens: 0, ms: 0 };
  let outOfSight = { tokens: 0, ms: 0 };
  let computes = false;
  // Whether any of the time since the last step was out of sight: a tab that was halted hears of its step when it is seen again.
  let hasBeenHidden = sight.hidden;

  const count = ({ realTokens, stepMs }: Step): void => {
    const sum = hasBeenHidden ? outOfSight : inSight;
    sum.tokens += realTokens;
    sum.ms += stepMs;
    hasBeenHidden = sight.hidden;
    if (outOfSight.ms < LEAST_MS || inSight.ms < LEAST_MS || inSight.tokens === 0) return;
    store.setState({ share: outOfSight.tokens / outOfSight.ms / (inSight.tokens / inSight.ms) });
  };
  sight.addEventListener('visibilitychange', () => {
    if (!sight.hidden) return;
    hasBeenHidden = true;
    if (computes) store.setState({ wasHidden: true });
  });
  run.subscribe((now, before) => {
    if (isActive(now.state) && !isActive(before.state)) {
      inSight = { tokens: 0, ms: 0 };
      outOfSight = { tokens: 0, ms: 0 };
      hasBeenHidden = sight.hidden;
      store.setState(NOTHING);
    }
    computes = isComputing(now.state);
    if (computes && sight.hidden) store.setState({ wasHidden: true });
    if (now.latest !== null && now.latest !== before.latest) count(now.latest);
  });
  return store;
}
