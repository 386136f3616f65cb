/** Tells that a run has ended through the system, where the user asked for it. Asks for no permission by itself. */
import { createStore, type StoreApi } from 'zustand/vanilla';
import { isActive, type RunStore } from '#studio/stores/run.ts';

/** The browser's `Notification`, as far as it is needed. */
export interface Notices {
  readonly permission: NotificationPermission;
  requestPermission(): Promise<NotificationPermission>;
  new (title: string, options?: NotificationOptions): object;
}

export interface EndNoticeStore {
  /** `none`: this browser has no notifications. */
  permission: NotificationPermission | 'none';
  /** Whether the user wants to be told. */
  isOn: boolean;
  /** Asks the user, where that has to be. */
  switchOn: () => Promise<void>;
  switchOff: () => void;
}

interface Parts {
  run: StoreApi<RunStore>;
  notices: Notices | null;
  storage: Pick<Storage, 'getItem' | 'setItem'>;
  /** Whether the page is looked at: then it shows the end by itself. */
  isSeen: () => boolean;
  words: (run: RunStore) => { title: string; body: string };
}

const KEY = 'loratory.end-notice';

export function createEndNotice({ run, notices, storage, isSeen, words }: Parts): StoreApi<EndNoticeStore> {
  const permission = notices?.permission ?? 'none';
  const store = createStore<EndNoticeStore>((set) => ({
    permission,
    isOn: permission === 'granted' && storage.getItem(KEY) === 'on',
    async switchOn() {
      if (notices === null) return;
      const answer = notices.permission === 'default' ? await notices.requestPermission() : notices.permission;
      set({ permission: answer, isOn: answer === 'granted' });
      if (answer === 'granted') storage.setItem(KEY, 'on');
    },
    switchOff() {
      storage.setItem(KEY, 'off');
      set({ isOn: false });
    },
  }));
  run.subscribe((now, before) => {
    const hasEnded = isActive(before.state) && (now.state.kind === 'done' || now.state.kind === 'failed');
    // What was opened again was not trained: it never went beyond preparing.
    if (!hasEnded || before.state.kind === 'preparing' || notices === null || !store.getState().isOn || isSeen()) return;
    const { title, body } = words(now);
    try {
      Reflect.construct(notices, [title, { body, tag: 'loratory-run' }]);
    } catch {
      // Some browsers let a service worker alone notify, and say so only here.
      store.setState({ permission: 'none', isOn: false });
    }
  });
  return store;
}
