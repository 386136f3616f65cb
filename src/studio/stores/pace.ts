/** How fast this device trains each model, as its last run was measured: the one source of an expected time. Survives a reload. */
import { createJSONStorage, persist, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import type { DeviceSummary, StepMetrics } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import type { createDeviceStore } from '#studio/stores/device.ts';
import type { createModelStore } from '#studio/stores/model.ts';
import type { createRunStore } from '#studio/stores/run.ts';

/** A model on a device, with activations kept or computed again: each has its own rate. */
export interface PaceOf {
  modelKey: string;
  device: Pick<DeviceSummary, 'vendor' | 'architecture' | 'description'>;
  recompute: boolean;
}

export interface PaceStore {
  /** Tokens per second, by `paceKey`. The last measured one is at the end. */
  rates: Record<string, number>;
  measured: (key: string, tokensPerSecond: number) => void;
}

const STORAGE_KEY = 'loratory.pace';
/** Models that one comes back to. */
const MOST_KEPT = 50;

export function paceKey({ modelKey, device: { vendor, architecture, description }, recompute }: PaceOf): string {
  return JSON.stringify([modelKey, vendor, architecture, description, recompute]);
}

export function createPaceStore(storage: StateStorage) {
  return createStore<PaceStore>()(
    persist(
      (set) => ({
        rates: {},
        measured: (key, tokensPerSecond) =>
          set(({ rates }) => {
            const others = Object.entries(rates).filter(([name]) => name !== key);
            return { rates: Object.fromEntries([...others, [key, tokensPerSecond] as const].slice(-MOST_KEPT)) };
          }),
      }),
      {
        name: STORAGE_KEY,
        version: 1,
        storage: createJSONStorage(() => storage),
        partialize: ({ rates }) => ({ rates }),
        merge: (stored, current) => ({ ...current, rates: readRates(stored) }),
      },
    ),
  );
}

function readRates(stored: unknown): Record<string, number> {
  const { rates } = (stored ?? {}) as { rates?: unknown };
  if (typeof rates !== 'object' || rates === null) return {};
  return Object.fromEntries(
    Object.entries(rates as Record<string, unknown>).flatMap(([key, rate]) =>
      typeof rate === 'number' && Number.isFinite(rate) && rate > 0 ? [[key, rate] as const] : [],
    ),
  );
}

/** Sums the steps of one run. */
export class PaceMeter {
  /** Steps that are enough to know a rate by. */
  static readonly leastSteps = 3;
  #steps = 0;
  #tokens = 0;
  #milliseconds = 0;

  /** The first step of a run compiles its kernels: it tells nothing of the others. */
  append(steps: readonly Pick<StepMetrics, 'realTokens' | 'stepMs'>[]): void {
    for (const { realTokens, stepMs } of steps) {
      if (this.#steps++ === 0) continue;
      this.#tokens += realTokens;
      this.#milliseconds += stepMs;
    }
  }

  /** Null while too few steps are made. */
  get tokensPerSecond(): number | null {
    return this.#steps > PaceMeter.leastSteps && this.#milliseconds > 0 ? (1000 * this.#tokens) / this.#milliseconds : null;
  }

  clear(): void {
    this.#steps = 0;
    this.#tokens = 0;
    this.#milliseconds = 0;
  }
}

interface FollowedByPace {
  pace: ReturnType<typeof createPaceStore>;
  trainer: Trainer;
  run: ReturnType<typeof createRunStore>;
  model: ReturnType<typeof createModelStore>;
  device: ReturnType<typeof createDeviceStore>;
}

/** Measures each run, and keeps its rate whenever it pauses, is evaluated or ends. */
export function followPace({ pace, trainer, run, model, device: deviceStore }: FollowedByPace): void {
  const meter = new PaceMeter();
  trainer.on('metrics', ({ steps }) => meter.append(steps));
  run.subscribe((now, before) => {
    if (now.state.kind === before.state.kind) return;
    const { device } = deviceStore.getState();
    const modelKey = model.getState().opened?.summary.key;
    const { tokensPerSecond } = meter;
    if (tokensPerSecond !== null && before.started !== null && modelKey !== undefined && device.kind === 'ready') {
      const recompute = before.started.recipe.gradient_checkpointing;
      pace.getState().measured(paceKey({ modelKey, device: device.summary, recompute }), tokensPerSecond);
    }
    if (now.state.kind === 'preparing') meter.clear();
  });
}

/** Seconds of so many steps over rows of these lengths: of the steps alone, without measuring and answering. */
export function expectedSeconds(
  { steps, rowsPerStep }: { steps: number; rowsPerStep: number },
  rowLengths: ArrayLike<number>,
  tokensPerSecond: number,
): number {
  let tokens = 0;
  for (let row = 0; row < rowLengths.length; row++) tokens += rowLengths[row] ?? 0;
  const stepsPerEpoch = Math.ceil(rowLengths.length / rowsPerStep);
  return stepsPerEpoch === 0 ? 0 : ((steps / stepsPerEpoch) * tokens) / tokensPerSecond;
}
