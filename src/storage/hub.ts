/** A hub of models and datasets with Hugging Face's addresses: what it has, and bytes of its files. Knows names, opens no model. */
import { AppError } from '#base/errors.ts';
import { countAt, entriesAt, listAt, textAt, valueAt } from '#storage/hub-json.ts';
import { type HubOptions, HubRequests, type StreamPiece } from '#storage/hub-requests.ts';
import type { HubSubject } from '#storage/hub-failures.ts';

/** One line of a search. */
export interface HubCard {
  id: string;
  downloads: number | null;
  likes: number | null;
  /** As the card says it: `apache-2.0`. */
  license: string | null;
  isGated: boolean;
  /** config.json's `model_type`, or that of a GGUF. */
  architecture: string | null;
  parameterCount: number | null;
  /** Of the weights, from their types. */
  weightBytes: number | null;
}

export interface HubFile {
  path: string;
  sizeBytes: number;
  /** Of a file that lies in Git LFS; null: it is small, and `blobId` tells it. */
  sha256: string | null;
  /** Git's own SHA-1 of the file, or of its pointer in LFS. */
  blobId: string | null;
}

/** A repository at one commit. */
export interface HubModel extends HubCard {
  endpoint: string;
  /** To which the revision pointed. */
  commit: string;
  files: HubFile[];
  /** config.json; null: there is none, or it may not be read. */
  config: Record<string, unknown> | null;
  /** Whether its files may be read with the token that is used. */
  isReadable: boolean;
  /** Whether the engine knows the architecture. */
  isSupported: boolean;
  /** Has no chat template; null where that is not known before its files are. */
  isBase: boolean | null;
}

/** A file of a repository at a commit. */
export interface HubFileRef {
  kind: 'model' | 'dataset';
  id: string;
  /** A commit, for what must stay the same. */
  revision: string;
  path: string;
}

const MAIN = 'main';
/** What a search asks for of each model. */
const CARD_FIELDS = ['downloads', 'likes', 'gated', 'cardData', 'tags', 'config', 'safetensors', 'gguf'];
const MAX_CONFIG_BYTES = 1_000_000;
/** Bytes of one value of a safetensors type. */
const TYPE_BYTES: Record<string, number> = { F64: 8, I64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2 };

/** `org/name`, with `@revision` after it where one is wanted; null for what cannot be an id. */
export function parseHubId(text: string): { id: string; revision: string | null } | null {
  const match = /^([\w-][\w.-]*(?:\/[\w-][\w.-]*)?)(?:@([^\s@]+))?$/.exec(text);
  return match === null || match[1].includes('..') ? null : { id: match[1], revision: match[2] ?? null };
}

export class Hub {
  readonly #requests: HubRequests;

  /** @throws AppError `hub/failed` for an endpoint that is no address. */
  constructor(options: HubOptions = {}) {
    this.#requests = new HubRequests(options);
  }

  get endpoint(): string {
    return this.#requests.endpoint;
  }

  get host(): string {
    return this.#requests.host;
  }

  get requests(): HubRequests {
    return this.#requests;
  }

  /** The most downloaded models first. `filter`: a tag, as `text-generation`. @throws AppError `hub/*`, `run/cancelled` */
  async search(text: string, { limit = 20, filter, signal }: { limit?: number; filter?: string; signal?: AbortSignal } = {}) {
    const query = new URLSearchParams({ search: text, limit: String(limit), sort: 'downloads', direction: '-1' });
    if (filter !== undefined) query.set('filter', filter);
    for (const field of CARD_FIELDS) query.append('expand[]', field);
    const subject: HubSubject = { kind: 'search', id: '' };
    const found = await this.#requests.json(`/api/models?${query}`, subject, { signal });
    if (!Array.isArray(found)) throw this.#requests.failures.failed(subject, 'no list', 'a list of models');
    return (found as unknown[]).map(cardOf).filter((card) => card !== null);
  }

  /**
   * A model at the commit to which `revision` points now, with its config.json where that may be read.
   * `supported`: the `model_type`s that the engine knows.
   * @throws AppError `hub/not-found`, `hub/token`, `hub/rate-limit`, `hub/offline`, `hub/failed`, `run/cancelled`
   */
  async model(
    id: string,
    { revision, supported = [], signal }: { revision?: string | null; supported?: readonly string[]; signal?: AbortSignal } = {},
  ): Promise<HubModel> {
    const subject: HubSubject = { kind: 'model', id: checkId(id), revision: revision ?? MAIN };
    const info = await this.#requests.json(`/api/models/${id}/revision/${encodeURIComponent(revision ?? MAIN)}?blobs=true`, subject, {
      signal,
    });
    const card = cardOf(info);
    const commit = textAt(info, 'sha');
    if (card === null || commit === null || !/^[0-9a-f]{40,64}$/.test(commit)) {
      throw this.#requests.failures.failed(subject, `the commit ${JSON.stringify(commit)}`, 'a model with its commit');
    }
    const files = filesOf(info) ?? (await this.#tree({ ...subject, revision: commit }, signal));
    const { config, isReadable } = await this.#config({ id, revision: commit, files }, signal);
    const architecture = textAt(config, 'model_type') ?? card.architecture;
    return {
      ...card,
      endpoint: this.endpoint,
      commit,
      files,
      config,
      isReadable,
      architecture,
      isSupported: architecture !== null && supported.includes(architecture),
      isBase: hasChatTemplate(info, files),
    };
  }

  /**
   * Bytes `[start, end)` of a file, with its size. Asked of what is empty, the hub answers nothing.
   * @throws AppError `hub/*`, `run/cancelled`
   */
  readRange(file: HubFileRef, start: number, end: number, signal?: AbortSignal): Promise<{ bytes: Uint8Array; totalBytes: number }> {
    return this.#requests.range(resolvePath(file), file, { start, end }, signal);
  }

  /** A file's bytes from `start` on, once. @throws AppError `hub/offline` when the connection ends early, and as `readRange` */
  stream(file: HubFileRef, start: number, sizeBytes: number, signal?: AbortSignal): AsyncGenerator<StreamPiece> {
    return this.#requests.stream(resolvePath(file), file, start, sizeBytes, signal);
  }

  async #config({ id, revision, files }: { id: string; revision: string; files: HubFile[] }, signal?: AbortSignal) {
    const file = files.find(({ path }) => path === 'config.json') ?? files.find(({ sizeBytes }) => sizeBytes > 0);
    if (file === undefined) return { config: null, isReadable: true };
    const ref: HubFileRef = { kind: 'model', id, revision, path: file.path };
    try {
      const isConfig = file.path === 'config.json' && file.sizeBytes <= MAX_CONFIG_BYTES;
      const { bytes } = await this.readRange(ref, 0, isConfig ? file.sizeBytes : 1, signal);
      return { config: isConfig ? this.#parseConfig(ref, bytes) : null, isReadable: true };
    } catch (error) {
      if (error instanceof AppError && error.code === 'hub/gated') return { config: null, isReadable: false };
      throw error;
    }
  }

  #parseConfig(file: HubFileRef, bytes: Uint8Array): Record<string, unknown> {
    try {
      const config: unknown = JSON.parse(new TextDecoder().decode(bytes));
      if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config as Record<string, unknown>;
    } catch {
      // Said below.
    }
    throw this.#requests.failures.failed(file, `${bytes.byteLength} bytes that are no object of JSON`, 'a model’s configuration');
  }

  /** For hubs that tell no sizes with the model: its first thousand files. */
  async #tree(subject: HubSubject & { revision: string }, signal?: AbortSignal): Promise<HubFile[]> {
    const entries = await this.#requests.json(`/api/models/${subject.id}/tree/${subject.revision}?recursive=true`, subject, { signal });
    if (!Array.isArray(entries)) throw this.#requests.failures.failed(subject, 'no list', 'a list of files');
    const files: HubFile[] = [];
    for (const entry of entries as unknown[]) {
      const [path, sizeBytes] = [textAt(entry, 'path'), countAt(entry, 'lfs', 'size') ?? countAt(entry, 'size')];
      if (textAt(entry, 'type') !== 'file' || path === null || sizeBytes === null) continue;
      files.push({ path, sizeBytes, sha256: hashAt(entry, 64, 'lfs', 'oid'), blobId: hashAt(entry, 40, 'oid') });
    }
    return files;
  }
}

function resolvePath({ kind, id, revision, path }: HubFileRef): string {
  checkId(id);
  const folder = kind === 'dataset' ? '/datasets' : '';
  return `${folder}/${id}/resolve/${encodeURIComponent(revision)}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

export function checkId(id: string): string {
  if (parseHubId(id)?.id === id) return id;
  throw new AppError('hub/not-found', `${JSON.stringify(id)} was found, an id as org/name was expected`, {
    found: id,
    expected: 'org/name',
  });
}

function cardOf(info: unknown): HubCard | null {
  const id = textAt(info, 'id') ?? textAt(info, 'modelId');
  if (id === null) return null;
  const gated = valueAt(info, 'gated');
  const tag = listAt(info, 'tags').find((each): each is string => typeof each === 'string' && each.startsWith('license:'));
  const types = entriesAt(info, 'safetensors', 'parameters').filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  const weightBytes = types.reduce((sum, [type, count]) => sum + count * (TYPE_BYTES[type] ?? 1), 0);
  return {
    id,
    downloads: countAt(info, 'downloads'),
    likes: countAt(info, 'likes'),
    license: textAt(info, 'cardData', 'license') ?? tag?.slice('license:'.length) ?? null,
    isGated: gated === true || gated === 'auto' || gated === 'manual',
    architecture: textAt(info, 'config', 'model_type') ?? textAt(info, 'gguf', 'architecture'),
    parameterCount: countAt(info, 'safetensors', 'total') ?? countAt(info, 'gguf', 'total'),
    weightBytes: types.length > 0 ? weightBytes : null,
  };
}

/** Null where a size is missing. */
function filesOf(info: unknown): HubFile[] | null {
  const files: HubFile[] = [];
  for (const sibling of listAt(info, 'siblings')) {
    const path = textAt(sibling, 'rfilename');
    const sizeBytes = countAt(sibling, 'lfs', 'size') ?? countAt(sibling, 'size');
    if (path === null || sizeBytes === null) return null;
    files.push({ path, sizeBytes, sha256: hashAt(sibling, 64, 'lfs', 'sha256'), blobId: hashAt(sibling, 40, 'blobId') });
  }
  return files;
}

function hashAt(value: unknown, digits: number, ...path: string[]): string | null {
  const text = textAt(value, ...path);
  return text !== null && text.length === digits && /^[0-9a-f]+$/.test(text) ? text : null;
}

/** The answer's `config` has the tokenizer's template where the hub read one. */
function hasChatTemplate(info: unknown, files: readonly HubFile[]): boolean | null {
  const told = [
    valueAt(info, 'config', 'chat_template_jinja'),
    valueAt(info, 'config', 'tokenizer_config', 'chat_template'),
    textAt(info, 'gguf', 'chat_template') ?? undefined,
    files.find(({ path }) => path === 'chat_template.jinja' || path === 'chat_template.json')?.path,
  ];
  if (told.some((value) => value !== undefined && value !== null)) return false;
  const isKnown = valueAt(info, 'config', 'tokenizer_config') !== undefined || entriesAt(info, 'gguf').length > 0;
  return isKnown ? true : null;
}
