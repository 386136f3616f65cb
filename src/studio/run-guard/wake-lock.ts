/** Keeps the machine awake while a run computes, and holds nothing else. Knows no run. */

/** As much of `navigator.wakeLock` as is needed. */
export interface WakeLocks {
  request(type: 'screen'): Promise<HeldWakeLock>;
}

export interface HeldWakeLock {
  readonly released: boolean;
  release(): Promise<void>;
}

/** The page, as far as it can be out of sight. */
export interface Sight {
  readonly hidden: boolean;
  addEventListener(type: 'visibilitychange', listener: () => void): void;
}

/**
 * Says whether the machine has to stay awake. Browsers take the lock back when the page goes out of sight, so it is asked for again when it is
 * seen; where one refuses it (little battery is left) the run goes on without.
 */
export function createAwake(locks: WakeLocks | null, sight: Sight): (isNeeded: boolean) => void {
  let isNeeded = false;
  let held: HeldWakeLock | null = null;
  let isAsking = false;

  const adjust = async (): Promise<void> => {
    if (locks === null || isAsking) return;
    const isHeld = held !== null && !held.released;
    if (isNeeded && !isHeld && !sight.hidden) {
      isAsking = true;
      held = await locks.request('screen').catch(() => null);
      isAsking = false;
      // What was asked for may have changed on the way.
      if (held !== null && !isNeeded) await adjust();
    } else if (!isNeeded && held !== null) {
      const lock = held;
      held = null;
      if (!lock.released) await lock.release();
    }
  };
  sight.addEventListener('visibilitychange', () => void adjust());
  return (needed) => {
    if (needed === isNeeded) return;
    isNeeded = needed;
    void adjust();
  };
}
