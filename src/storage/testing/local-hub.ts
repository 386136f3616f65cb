/**
 * A small hub on this machine, for tests and development: Hugging Face's addresses, answers and headers, with a second server on another
 * origin for large files. Failures are asked for by a test. Knows no format but JSON's.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LocalRepository {
  id: string;
  kind?: 'model' | 'dataset';
  files: Record<string, Uint8Array>;
  /** `auto` or `manual`: its files want a token whose account accepted the terms. */
  gated?: false | 'auto' | 'manual';
  /** There for the holders of `readers` alone. */
  isPrivate?: boolean;
  /** Tokens that may read what is gated or private. */
  readers?: string[];
  license?: string;
  downloads?: number;
  likes?: number;
  tags?: string[];
  /** Fields of the answer that a real hub reads out of the files: `safetensors`, `gguf`, `config`. */
  info?: Record<string, unknown>;
  /** Files of the branch refs/convert/parquet: `config/split/0000.parquet`. */
  parquet?: Record<string, Uint8Array>;
}

/** What a request ends with instead of its answer. */
export type Fault =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  /** The connection is cut after so many bytes of the body. */
  | { kind: 'drop'; afterBytes: number }
  /** After so many bytes of the body nothing comes any more. */
  | { kind: 'stall'; afterBytes: number }
  /** The whole file comes, whatever range was asked for. */
  | { kind: 'no-range' }
  /** One byte of the body is another. */
  | { kind: 'flip'; at: number };

export interface SeenRequest {
  server: 'hub' | 'cdn';
  method: string;
  /** With its query. */
  url: string;
  authorization: string | undefined;
  range: string | undefined;
}

interface Revision {
  repository: LocalRepository;
  commit: string;
  files: ReadonlyMap<string, Uint8Array>;
}

const PARQUET_BRANCH = 'refs/convert/parquet';
const LARGE = /\.(safetensors|gguf|bin|parquet|model)$/;
const EXPOSED =
  'X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash';

const hashes = new WeakMap<Uint8Array, string>();

export function sha256(bytes: Uint8Array): string {
  const hash = hashes.get(bytes) ?? createHash('sha256').update(bytes).digest('hex');
  hashes.set(bytes, hash);
  return hash;
}

export const blobId = (bytes: Uint8Array): string => createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');

export class LocalHub {
  readonly requests: SeenRequest[] = [];
  /** Tokens that the hub knows; any other is refused. */
  readonly tokens = new Set<string>();
  /** Asked for each request; null: all is well. */
  fault: (request: SeenRequest) => Fault | null = () => null;
  endpoint = '';
  cdn = '';
  readonly #revisions = new Map<string, Revision>();
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #servers: Server[] = [];

  /** `port`: of the hub; 0: any that is free. */
  static async start(repositories: readonly LocalRepository[] = [], port = 0): Promise<LocalHub> {
    const hub = new LocalHub();
    hub.endpoint = await hub.#listen('hub', port, (request, response) => hub.#answer(request, response));
    hub.cdn = await hub.#listen('cdn', 0, (request, response) => hub.#answerCdn(request, response));
    for (const repository of repositories) hub.put(repository);
    return hub;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** Adds a repository, or a new commit of one; earlier commits stay. @returns the commit */
  put(repository: LocalRepository): string {
    const kind = repository.kind ?? 'model';
    const commit = this.#add(kind, repository, 'main', repository.files);
    if (repository.parquet) this.#add(kind, repository, PARQUET_BRANCH, repository.parquet);
    return commit;
  }

  #add(kind: string, repository: LocalRepository, branch: string, content: Record<string, Uint8Array>): string {
    const files = new Map(Object.entries(content));
    const lines = [...files].map(([path, bytes]) => `${path} ${sha256(bytes)}`);
    const commit = createHash('sha1')
      .update([branch, ...lines].join('\n'))
      .digest('hex');
    const revision = { repository, commit, files };
    for (const name of [branch, commit]) this.#revisions.set(`${kind} ${repository.id} ${name}`, revision);
    for (const bytes of files.values()) this.#blobs.set(sha256(bytes), bytes);
    return commit;
  }

  async #listen(
    name: SeenRequest['server'],
    port: number,
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const server = createServer((request, response) => {
      const { method = 'GET', url = '/', headers } = request;
      const seen: SeenRequest = { server: name, method, url, authorization: headers.authorization, range: headers.range };
      this.requests.push(seen);
      response.setHeader('Access-Control-Allow-Origin', headers.origin ?? '*');
      response.setHeader('Vary', 'Origin');
      response.setHeader('Access-Control-Expose-Headers', EXPOSED);
      if (method === 'OPTIONS') {
        response.setHeader('Access-Control-Allow-Methods', 'GET,HEAD,POST,PUT,DELETE');
        response.setHeader('Access-Control-Allow-Headers', name === 'hub' ? 'Authorization,Range,Content-Type' : 'Range');
        response.setHeader('Access-Control-Max-Age', '86400');
        response.writeHead(204).end();
        return;
      }
      const fault = this.fault(seen);
      if (fault?.kind === 'status') {
        response.writeHead(fault.status, fault.headers).end();
        return;
      }
      this.#faults.set(response, fault);
      answer(request, response);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  readonly #faults = new WeakMap<ServerResponse, Fault | null>();

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.endpoint);
    const { authorization } = request.headers;
    const token = authorization?.replace(/^Bearer /, '');
    if (token !== undefined && !this.tokens.has(token)) {
      refuse(response, 401, null, 'Invalid credentials in Authorization header');
      return;
    }
    const path = url.pathname;
    if (path === '/api/models') {
      this.#search(url.searchParams, response);
      return;
    }
    const parquet = /^\/api\/datasets\/([^/]+(?:\/[^/]+)?)\/parquet(?:\/(.*))?$/.exec(path);
    if (parquet) {
      this.#parquet(parquet[1], parquet[2]?.split('/') ?? [], token, response);
      return;
    }
    const api = /^\/api\/(models|datasets)\/([^/]+(?:\/[^/]+)?)(?:\/(revision|tree)\/([^/]+)(?:\/.*)?)?$/.exec(path);
    if (api) {
      const kind = api[1] === 'models' ? 'model' : 'dataset';
      const revision = this.#find(kind, api[2], decodeURIComponent(api[4] ?? 'main'), token, response);
      if (!revision) return;
      json(response, api[3] === 'tree' ? treeOf(revision) : infoOf(revision, url.searchParams.get('blobs') === 'true'));
      return;
    }
    const cached = /^\/api\/resolve-cache\/(model|dataset)s\/(.+)\/([0-9a-f]{40})\/([^/]+)$/.exec(path);
    if (cached) {
      const revision = this.#find(cached[1], cached[2], cached[3], token, response);
      if (revision) this.#file(revision, decodeURIComponent(cached[4]), token, request, response, true);
      return;
    }
    const resolve = /^(?:\/(datasets))?\/([^/]+(?:\/[^/]+)?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
    const kind = resolve?.[1] === 'datasets' ? 'dataset' : 'model';
    const revision = resolve && this.#find(kind, resolve[2], decodeURIComponent(resolve[3]), token, response);
    if (!resolve) refuse(response, 404, null, 'Not found');
    else if (revision) this.#file(revision, decodeURIComponent(resolve[4]), token, request, response, false);
  }

  #find(kind: string, id: string, name: string, token: string | undefined, response: ServerResponse): Revision | null {
    const main = this.#revisions.get(`${kind} ${id} main`);
    const isHidden = main?.repository.isPrivate === true && !main.repository.readers?.includes(token ?? '');
    if (!main || isHidden) {
      // Without a token one is not told whether it is there.
      if (token === undefined) refuse(response, 401, null, 'Invalid username or password.');
      else refuse(response, 404, 'RepoNotFound', 'Repository not found');
      return null;
    }
    const revision = this.#revisions.get(`${kind} ${id} ${name}`) ?? null;
    if (!revision) refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${name}`);
    return revision;
  }

  #file(
    { repository, commit, files }: Revision,
    path: string,
    token: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    isCache: boolean,
  ): void {
    response.setHeader('X-Repo-Commit', commit);
    if (repository.gated && !repository.readers?.includes(token ?? '')) {
      refuse(
        response,
        token === undefined ? 401 : 403,
        'GatedRepo',
        `Access to ${repository.kind ?? 'model'} ${repository.id} is restricted.`,
      );
      return;
    }
    const bytes = files.get(path);
    if (bytes === undefined) {
      refuse(response, 404, 'EntryNotFound', 'Entry not found');
      return;
    }
    const kind = repository.kind ?? 'model';
    if (LARGE.test(path)) {
      response.setHeader('X-Linked-Size', String(bytes.byteLength));
      response.setHeader('X-Linked-Etag', `"${sha256(bytes)}"`);
      response.writeHead(302, { Location: `${this.cdn}/xet-bridge/${sha256(bytes)}?Expires=9999999999&Signature=test` }).end();
    } else if (!isCache && !path.includes('/')) {
      const location = `/api/resolve-cache/${kind}s/${repository.id}/${commit}/${encodeURIComponent(path)}?etag=%22${blobId(bytes)}%22`;
      response.writeHead(307, { Location: location }).end();
    } else {
      response.setHeader('ETag', `"${blobId(bytes)}"`);
      this.#send(bytes, request, response);
    }
  }

  #answerCdn(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.cdn);
    const bytes = this.#blobs.get(url.pathname.replace('/xet-bridge/', ''));
    if (bytes === undefined || url.searchParams.get('Signature') !== 'test') {
      response.writeHead(403).end();
      return;
    }
    // Not the SHA-256 of the file: the store behind it has hashes of its own.
    response.setHeader('ETag', `"${createHash('md5').update(bytes).digest('hex')}"`);
    this.#send(bytes, request, response);
  }

  #send(bytes: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
    const fault = this.#faults.get(response) ?? null;
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('Content-Type', 'application/octet-stream');
    const range = fault?.kind === 'no-range' ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    let [start, end] = [0, bytes.byteLength];
    if (range) {
      start = Number(range[1]);
      if (range[2] !== '') end = Math.min(end, Number(range[2]) + 1);
      if (start >= bytes.byteLength) {
        response.writeHead(416, { 'Content-Range': `bytes */${bytes.byteLength}` }).end();
        return;
      }
      response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${bytes.byteLength}`);
    }
    response.writeHead(range ? 206 : 200, { 'Content-Length': end - start });
    const body = bytes.slice(start, end);
    if (fault?.kind === 'flip') body[fault.at % body.byteLength] ^= 1;
    if (fault?.kind === 'drop') response.write(body.subarray(0, fault.afterBytes), () => response.destroy());
    else if (fault?.kind === 'stall') response.write(body.subarray(0, fault.afterBytes));
    else response.end(body);
  }

  #search(query: URLSearchParams, response: ServerResponse): void {
    const [text, filters] = [query.get('search')?.toLowerCase() ?? '', query.getAll('filter')];
    const found = [...this.#revisions]
      .filter(([key, { repository }]) => key.startsWith('model ') && key.endsWith(' main') && !repository.isPrivate)
      .filter(([, { repository }]) => repository.id.toLowerCase().includes(text))
      .filter(([, { repository }]) => filters.every((tag) => repository.tags?.includes(tag)))
      .sort(([, a], [, b]) => (b.repository.downloads ?? 0) - (a.repository.downloads ?? 0))
      .slice(0, Number(query.get('limit') ?? 1000));
    json(
      response,
      found.map(([, revision]) => cardOf(revision)),
    );
  }

  /** `/parquet`, `/parquet/config`, `/parquet/config/split`: addresses; with a number after them, the file. */
  #parquet(id: string, [config, split, file]: string[], token: string | undefined, response: ServerResponse): void {
    const revision = this.#find('dataset', id, PARQUET_BRANCH, token, response);
    if (!revision) return;
    const listing: Record<string, Record<string, string[]>> = {};
    for (const path of [...revision.files.keys()].sort()) {
      const [folder, inner] = path.split('/');
      const urls = ((listing[folder] ??= {})[inner] ??= []);
      urls.push(`${this.endpoint}/api/datasets/${id}/parquet/${folder}/${inner}/${urls.length}.parquet`);
    }
    const answer = config === undefined ? listing : split === undefined ? listing[config] : listing[config]?.[split];
    if (answer === undefined) {
      refuse(response, 404, 'EntryNotFound', 'Entry not found');
      return;
    }
    if (file === undefined) {
      json(response, answer);
      return;
    }
    const branch = encodeURIComponent(PARQUET_BRANCH);
    const location = `/datasets/${id}/resolve/${branch}/${config}/${split}/${file.replace('.parquet', '').padStart(4, '0')}.parquet`;
    response.writeHead(302, { Location: location }).end();
  }
}

function cardOf({ repository, commit }: Revision): Record<string, unknown> {
  const { id, gated = false, isPrivate = false, downloads = 0, likes = 0, license, tags = [], info = {} } = repository;
  const licenseTag = license === undefined ? [] : [`license:${license}`];
  return {
    id,
    modelId: id,
    sha: commit,
    private: isPrivate,
    gated,
    downloads,
    likes,
    tags: [...tags, ...licenseTag],
    ...(license === undefined ? {} : { cardData: { license } }),
    ...info,
  };
}

function infoOf(revision: Revision, withBlobs: boolean): Record<string, unknown> {
  const siblings = [...revision.files].map(([rfilename, bytes]) => {
    if (!withBlobs) return { rfilename };
    const size = bytes.byteLength;
    const lfs = LARGE.test(rfilename) ? { lfs: { sha256: sha256(bytes), size, pointerSize: 134 } } : {};
    return { rfilename, size, blobId: 'lfs' in lfs ? blobId(pointerOf(bytes)) : blobId(bytes), ...lfs };
  });
  return { ...cardOf(revision), siblings };
}

function treeOf({ files }: Revision): Record<string, unknown>[] {
  return [...files].map(([path, bytes]) => {
    const size = bytes.byteLength;
    if (!LARGE.test(path)) return { type: 'file', oid: blobId(bytes), size, path };
    return { type: 'file', oid: blobId(pointerOf(bytes)), size, lfs: { oid: sha256(bytes), size, pointerSize: 134 }, path };
  });
}

/** @source https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
function pointerOf(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\nsize ${bytes.byteLength}\n`);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string | null, message: string): void {
  if (code !== null) response.setHeader('X-Error-Code', code);
  response.setHeader('X-Error-Message', message);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' }).end(JSON.stringify({ error: message }));
}
