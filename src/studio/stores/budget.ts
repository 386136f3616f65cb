/** What is known of the device's memory, and the check that learns it. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { Budget, DeviceSummary } from '#protocol/trainer.ts';
import type { Trainer } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { Progress } from '#studio/stores/model.ts';

export interface BudgetStore {
  /** Null before it was asked for. */
  budget: Budget | null;
  checking: { progress: Progress | null } | null;
  error: AppError | null;
  load: () => Promise<void>;
  /** Takes at most so much; undefined: what the trainer thinks right. */
  check: (capBytes: number | undefined) => Promise<void>;
  cancel: () => void;
  /** Null: back to what was measured. */
  set: (bytes: number | null) => Promise<void>;
  dismissError: () => void;
}

export function createBudgetStore(trainer: Trainer) {
  return createStore<BudgetStore>((set, get) => {
    trainer.on('progress', ({ done, total, perSecond, secondsLeft }) => {
      if (get().checking !== null) set({ checking: { progress: { done, total, perSecond, secondsLeft } } });
    });
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      set({ error: null });
      try {
        await work();
      } catch (reason) {
        const error = asAppError(reason);
        if (error.code !== 'run/cancelled') set({ error });
      }
    };
    const load = async (): Promise<void> => set({ budget: await trainer.call('budget') });
    return {
      budget: null,
      checking: null,
      error: null,
      load: () => attempt(load),
      async check(capBytes) {
        set({ checking: { progress: null } });
        await attempt(() => trainer.call('probeBudget', { capBytes }));
        set({ checking: null });
        // What was measured counts although it could not be kept.
        if (get().error === null) await attempt(load);
        else await load().catch(() => {});
      },
      cancel() {
        if (get().checking !== null) void trainer.call('cancelProbe');
      },
      set: (bytes) =>
        attempt(async () => {
          await trainer.call('setBudget', { bytes });
          await load();
        }),
      dismissError() {
        set({ error: null });
      },
    };
  });
}

export type BudgetVerdict =
  /** Neither a need nor a budget is known. */
  | { kind: 'nothing' }
  | { kind: 'unchecked'; needBytes: number }
  | { kind: 'budget'; budgetBytes: number; isLeast: boolean }
  | { kind: 'fits' | 'tooMuch'; needBytes: number; budgetBytes: number }
  /** More is needed than the check asked for; the device gave all of that. */
  | { kind: 'beyond'; needBytes: number; budgetBytes: number };

/** What a budget says of a need. Pure. */
export function verdictOf(needBytes: number | null, budget: Budget | null): BudgetVerdict {
  const budgetBytes = budget?.budgetBytes ?? null;
  const isLeast = budget?.reachedCap === true;
  if (budgetBytes === null) return needBytes === null ? { kind: 'nothing' } : { kind: 'unchecked', needBytes };
  if (needBytes === null) return { kind: 'budget', budgetBytes, isLeast };
  if (needBytes <= budgetBytes) return { kind: 'fits', needBytes, budgetBytes };
  return { kind: isLeast ? 'beyond' : 'tooMuch', needBytes, budgetBytes };
}

const SOFTWARE_SHARE = 0.25;

/**
 * The most that a check may take of this device: a software adapter takes the machine's own memory, of which the browser tells a rough
 * size at most. Undefined: what the trainer thinks right.
 * @param deviceMemoryGib `navigator.deviceMemory`, where there is one
 */
export function capOf({ isSoftware }: Pick<DeviceSummary, 'isSoftware'>, deviceMemoryGib: number | undefined): number | undefined {
  return isSoftware && deviceMemoryGib !== undefined ? Math.floor(deviceMemoryGib * SOFTWARE_SHARE * 2 ** 30) : undefined;
}

/** GiB as they are typed, in bytes: null where nothing is, undefined where it is no size. */
export function bytesOfGib(typed: string): number | null | undefined {
  if (typed.trim() === '') return null;
  const bytes = Math.round(
    Number(
      typed
        .trim()
        .replace(/\s*gib$/i, '')
        .replace(',', '.'),
    ) *
      2 ** 30,
  );
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}
