/** A browser's tabs without a browser: locks that are let go when a tab is closed, and a channel between the tabs that are open. */
import type { TabChannel, TabMessage } from '#studio/tabs/mirror.ts';
import type { TabLocks } from '#studio/tabs/tabs.ts';

interface Waiting {
  tab: number;
  grant: () => void;
}

export interface TabEnds {
  locks: TabLocks;
  channel: TabChannel;
  close: () => void;
}

export class TabWorld {
  #holder: number | null = null;
  #waiting: Waiting[] = [];
  readonly #listeners = new Map<number, ((message: TabMessage) => void)[]>();
  #nextTab = 1;

  open(): TabEnds {
    const tab = this.#nextTab++;
    this.#listeners.set(tab, []);
    return {
      locks: { request: (_, { ifAvailable = false }, hold) => this.#request(tab, ifAvailable, hold) },
      channel: {
        tell: (message) => this.#tell(tab, structuredClone(message)),
        hear: (listener) => void this.#listeners.get(tab)?.push(listener),
      },
      close: () => {
        this.#listeners.delete(tab);
        this.#waiting = this.#waiting.filter((waiting) => waiting.tab !== tab);
        if (this.#holder === tab) this.#release();
      },
    };
  }

  #tell(from: number, message: TabMessage): void {
    if (!this.#listeners.has(from)) return;
    setTimeout(() => {
      for (const [tab, listeners] of this.#listeners) if (tab !== from) for (const listener of listeners) listener(message);
    });
  }

  async #request(tab: number, ifAvailable: boolean, hold: (lock: unknown) => Promise<void> | undefined): Promise<void> {
    await Promise.resolve();
    if (this.#holder !== null && ifAvailable) {
      await hold(null);
      return;
    }
    if (this.#holder !== null) await new Promise<void>((resolve) => this.#waiting.push({ tab, grant: resolve }));
    this.#holder = tab;
    await hold({});
    if (this.#holder === tab) this.#release();
  }

  #release(): void {
    this.#holder = null;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#holder = next.tab;
    next.grant();
  }
}
