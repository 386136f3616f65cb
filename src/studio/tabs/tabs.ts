/** One tab works, the others look on: who it is, and what becomes of the rest when it is closed. Knows no component. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import type { BackgroundStore } from '#studio/run-guard/background.ts';
import type { EndNoticeStore } from '#studio/run-guard/end-notice.ts';
import { isActive } from '#studio/stores/run.ts';
import type { Studio } from '#studio/studio.ts';
import { showTo, type TabChannel } from '#studio/tabs/mirror.ts';

/** `vacant`: the tab that was at work is gone in the middle of a run, and nobody has taken over yet. */
export type TabRole = 'asking' | 'working' | 'looking' | 'vacant';

export interface TabsStore {
  role: TabRole;
  /** Null while it is asked who works. */
  studio: Studio | null;
  /** Of the tab that works. */
  background: StoreApi<BackgroundStore> | null;
  endNotice: StoreApi<EndNoticeStore> | null;
}

/** As much of `navigator.locks` as is needed. */
export interface TabLocks {
  request(name: string, options: { ifAvailable?: boolean }, hold: (lock: unknown) => Promise<void> | undefined): Promise<unknown>;
}

/** The studio of the tab that works, what it knows of being out of sight, and whether it tells of a run's end through the system. */
export interface Working {
  studio: Studio;
  background: StoreApi<BackgroundStore>;
  endNotice?: StoreApi<EndNoticeStore>;
}

export interface TabsOptions {
  /** Null where the browser has none: then every tab works by itself. */
  locks: TabLocks | null;
  channel: TabChannel;
  /** Starts the workers. */
  createWorking: () => Working;
  createOnlooker: (channel: TabChannel) => Studio;
}

export type Tabs = ReturnType<typeof createTabs>;

/** Of the whole origin, as the storage is. */
const LOCK = 'loratory';

export function createTabs({ locks, channel, createWorking, createOnlooker }: TabsOptions) {
  const store = createStore<TabsStore>(() => ({ role: 'asking', studio: null, background: null, endNotice: null }));

  const work = async (): Promise<void> => {
    const { studio, background, endNotice = null } = createWorking();
    store.setState({ role: 'working', studio, background, endNotice });
    showTo(channel, studio);
    channel.tell({ kind: 'lead' });
    await studio.begin();
  };
  const lookOn = (): void => {
    store.setState({ role: 'looking' });
    channel.tell({ kind: 'hello' });
    void waitForTurn();
  };
  /** The tab that works is gone. Where it was idle nothing is lost by going on here; a run that it left is taken over by hand alone. */
  const waitForTurn = async (): Promise<void> => {
    const release = await take(locks, {});
    const { studio } = store.getState();
    if (studio === null || !isActive(studio.run.getState().state)) {
      await work();
      return;
    }
    // The lock is free until someone takes over: the tab that was at work, reloaded, is the first to want it.
    release?.();
    store.setState({ role: 'vacant' });
  };
  channel.hear(({ kind }) => {
    if (kind !== 'lead') return;
    const { role } = store.getState();
    if (role === 'vacant') lookOn();
    else if (role === 'looking') channel.tell({ kind: 'hello' });
  });

  return {
    store,
    /** Asks who works: this tab, or one that does already. */
    async begin(): Promise<void> {
      if ((await take(locks, { ifAvailable: true })) !== null) {
        await work();
        return;
      }
      store.setState({ studio: createOnlooker(channel) });
      lookOn();
    },
    /** Goes on in this tab, unless another one was quicker. */
    async takeOver(): Promise<void> {
      if (store.getState().role !== 'vacant') return;
      if ((await take(locks, { ifAvailable: true })) !== null) await work();
      else if (store.getState().role === 'vacant') lookOn();
    },
  };
}

/** What releases the lock, once it is held; null when another tab holds it and it was asked for `ifAvailable`. */
function take(locks: TabLocks | null, options: { ifAvailable?: boolean }): Promise<(() => void) | null> {
  const free = (): void => {};
  if (locks === null) return Promise.resolve(free);
  return new Promise((resolve) => {
    const hold = (lock: unknown): Promise<void> | undefined => {
      if (lock !== null) return new Promise((release) => resolve(release));
      resolve(null);
      return undefined;
    };
    // Refused where a page may keep nothing at all: as in a browser that has no locks.
    locks.request(LOCK, options, hold).catch(() => resolve(free));
  });
}
