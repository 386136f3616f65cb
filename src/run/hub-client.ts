/** The hub that the user chose, for trainer, data worker and tests: settings from the store, waits told of. Knows no device and no row. */
import type { HubState, HubWait } from '#protocol/hub.ts';
import type { FileStore } from '#storage/file-store.ts';
import { type HubSettings, changedSettings, readHubSettings, writeHubSettings } from '#storage/hub-settings.ts';
import { DEFAULT_ENDPOINT, type HubOptions } from '#storage/hub-requests.ts';
import { Hub } from '#storage/hub.ts';

export class HubClient {
  readonly #store: FileStore | null;
  readonly #options: Pick<HubOptions, 'fetch' | 'sleep'>;
  /** Where there is no store: as long as this lives. */
  #inMemory: HubSettings = { endpoint: DEFAULT_ENDPOINT, token: null };

  /** Null: what is set lives as long as this, and another worker does not hear of it. */
  constructor(store: FileStore | null, options: Pick<HubOptions, 'fetch' | 'sleep'> = {}) {
    this.#store = store;
    this.#options = options;
  }

  /** Read anew each time: another worker may have changed them. */
  async open(onWait: (wait: HubWait) => void = () => {}): Promise<Hub> {
    return new Hub({ ...(await this.#settings()), onWait, ...this.#options });
  }

  async state(): Promise<HubState> {
    const { endpoint, token } = await this.#settings();
    return { endpoint, hasToken: token !== null };
  }

  /** What is left out stays; a token is dropped with the endpoint that it was given for. @throws AppError `hub/failed`, `storage/*` */
  async change(change: { endpoint?: string; token?: string | null }): Promise<HubState> {
    const settings = changedSettings(await this.#settings(), change);
    this.#inMemory = settings;
    if (this.#store) await writeHubSettings(this.#store, settings);
    return this.state();
  }

  async #settings(): Promise<HubSettings> {
    return this.#store ? readHubSettings(this.#store) : this.#inMemory;
  }
}
