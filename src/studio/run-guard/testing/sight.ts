/** A page that tests put out of sight. */
import type { Sight } from '#studio/run-guard/wake-lock.ts';

export function sight(): Sight & { set(hidden: boolean): void } {
  const listeners: (() => void)[] = [];
  let hidden = false;
  return {
    get hidden() {
      return hidden;
    },
    addEventListener: (_, listener) => void listeners.push(listener),
    set(value) {
      hidden = value;
      for (const listener of listeners) listener();
    },
  };
}
