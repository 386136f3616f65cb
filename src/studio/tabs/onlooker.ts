/** A studio that changes nothing: its stores say what another tab tells them. Knows no worker. */
import type { StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import { AppError } from '#base/errors.ts';
import type { CallMap, Client } from '#protocol/rpc.ts';
import { createStudio, type Studio } from '#studio/studio.ts';
import { askRows, lookAt, storesOf, type TabChannel } from '#studio/tabs/mirror.ts';

/** Refuses every call, and hears nothing. */
export function readOnlyClient<Calls extends CallMap<Calls>, Events>(): Client<Calls, Events> {
  return {
    call: (name, ..._args) =>
      new Promise((_, reject) => {
        reject(new AppError('run/read-only', `another tab is at work: ${name} is for it alone`, { found: name }));
      }),
    on: () => () => {},
    onDied() {},
  };
}

/**
 * Its stores are cut off from what acts on them: an action that is taken all the same meets a client that refuses, and changes nothing that shows.
 * Drafts are read from `storage`, and never written. Rows of the dataset are asked of the tab that has them.
 */
export function createOnlooker(channel: TabChannel, storage: Pick<StateStorage, 'getItem'>): Studio {
  const studio = createStudio({
    clients: { trainer: readOnlyClient(), data: readOnlyClient() },
    storage: { getItem: (name) => storage.getItem(name), setItem() {}, removeItem() {} },
    hasWebGpu: true,
    fetchDemoFile: (name) => Promise.reject(new AppError('run/read-only', `another tab is at work: ${name} is for it alone`)),
    goTo() {},
  });
  const stores = [...storesOf(studio)].map(([name, store]) => [name, createStore(() => store.getState())]);
  const onlooker = { ...studio, ...(Object.fromEntries(stores) as Partial<Studio>) };
  onlooker.dataset.setState({ rows: askRows(channel) });
  lookAt(channel, onlooker);
  return onlooker;
}
