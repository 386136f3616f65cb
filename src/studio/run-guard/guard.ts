/** What a tab does for the run that computes in it: keeps the machine awake, and watches what becomes of the run out of sight. */
import type { StoreApi } from 'zustand/vanilla';
import { type BackgroundStore, createBackground, isComputing } from '#studio/run-guard/background.ts';
import { createAwake, type Sight, type WakeLocks } from '#studio/run-guard/wake-lock.ts';
import type { RunStore } from '#studio/stores/run.ts';

export function guardRun(
  run: StoreApi<RunStore>,
  { sight, wakeLocks }: { sight: Sight; wakeLocks: WakeLocks | null },
): StoreApi<BackgroundStore> {
  const keepAwake = createAwake(wakeLocks, sight);
  run.subscribe(({ state }) => keepAwake(isComputing(state)));
  return createBackground(run, sight);
}
