/** Which hub is used and with which token, kept on this device alone: never in a run, a recipe or an export. */
import { AppError } from '#base/errors.ts';
import { type FileStore, readWhole } from '#storage/file-store.ts';
import { checkEndpoint, DEFAULT_ENDPOINT } from '#storage/hub-requests.ts';
import { openSealed, sealJson } from '#storage/sealed-json.ts';

export interface HubSettings {
  /** Scheme and host. */
  endpoint: string;
  token: string | null;
}

const PATH = 'settings/hub.json';
const VERSION = 1;

/** Hugging Face without a token where nothing was set, or what was cannot be read. @throws AppError `storage/failed` */
export async function readHubSettings(store: FileStore): Promise<HubSettings> {
  try {
    const { endpoint, token } = await openSealed(PATH, await readWhole(store, PATH), VERSION);
    return { endpoint: String(endpoint), token: typeof token === 'string' ? token : null };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === 'storage/failed') throw error;
    return { endpoint: DEFAULT_ENDPOINT, token: null };
  }
}

/**
 * What is left out stays, but that a token does not follow to another endpoint: it was given for the one before.
 * @throws AppError `hub/failed` for an address that is none; `storage/*`
 */
export function changedSettings(before: HubSettings, change: { endpoint?: string; token?: string | null }): HubSettings {
  const given = change.token === undefined ? undefined : change.token?.trim() || null;
  const { origin } = checkEndpoint(change.endpoint ?? before.endpoint, typeof given === 'string');
  return { endpoint: origin, token: given === undefined ? (origin === before.endpoint ? before.token : null) : given };
}

/** @throws AppError `storage/*` */
export async function writeHubSettings(store: FileStore, { endpoint, token }: HubSettings): Promise<void> {
  await store.write(PATH, [await sealJson({ version: VERSION, endpoint, token })]);
}
