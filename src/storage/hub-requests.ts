/** Requests to a hub: where the token goes, what is tried again and when, and how failures are named. Knows no model and no file of one. */
import { AppError } from '#base/errors.ts';
import { HubFailures, type HubSubject, Passing } from '#storage/hub-failures.ts';

export const DEFAULT_ENDPOINT = 'https://huggingface.co';

export interface HubOptions {
  /** Scheme and host, as HF_ENDPOINT has it. */
  endpoint?: string;
  token?: string | null;
  fetch?: typeof globalThis.fetch;
  /** Told before a request is tried again. */
  onWait?: (wait: HubWait) => void;
  /** Resolves after so long; rejects when the signal is aborted. Tests give a shorter one. */
  sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Without one byte for so long a connection is given up. */
  idleMs?: number;
}

export interface HubWait {
  host: string;
  seconds: number;
  /** What was answered; null: nothing was. */
  status: number | null;
}

export interface RequestOptions {
  signal?: AbortSignal;
  /** Bytes `[start, end)`. */
  range?: { start: number; end: number };
}

/** Requests in all before an error that may pass is told. */
const ATTEMPTS = 5;
const FIRST_BACKOFF_MS = 500;
/** Hugging Face counts requests in windows of five minutes; whoever asks for a longer wait is not waited for. */
const MAX_WAIT_MS = 330_000;
const IDLE_MS = 60_000;
/** A server that knows no ranges begins at the first byte: so much is read in vain at the most. */
const MAX_SKIPPED_BYTES = 16_777_216;
/** An answer of the API is a list of files or models. */
const MAX_JSON_BYTES = 64_000_000;

export class HubRequests {
  readonly endpoint: string;
  readonly host: string;
  readonly failures: HubFailures;
  readonly #token: string | null;
  readonly #fetch: typeof globalThis.fetch;
  readonly #sleep: NonNullable<HubOptions['sleep']>;
  readonly #idleMs: number;
  readonly #onWait: NonNullable<HubOptions['onWait']>;

  /** @throws AppError `hub/failed` for an endpoint that is no address, or one to which a token would go in the clear. */
  constructor({
    endpoint = DEFAULT_ENDPOINT,
    token = null,
    fetch,
    onWait = () => {},
    sleep = sleepFor,
    idleMs = IDLE_MS,
  }: HubOptions = {}) {
    this.#idleMs = idleMs;
    const { origin, host } = checkEndpoint(endpoint, token !== null && token !== '');
    this.endpoint = origin;
    this.host = host;
    this.#token = token === '' ? null : token;
    this.failures = new HubFailures(this);
    // The browser's own must be called on its global object.
    this.#fetch = fetch ?? ((...args) => globalThis.fetch(...args));
    this.#onWait = onWait;
    this.#sleep = sleep;
  }

  get hasToken(): boolean {
    return this.#token !== null;
  }

  /** @throws AppError `hub/*`, `run/cancelled` */
  async json(path: string, subject: HubSubject, options: RequestOptions = {}): Promise<unknown> {
    return this.#retry(subject, options.signal, async () => {
      const response = await this.#ask(path, subject, options);
      const bytes = await this.#collect(response, MAX_JSON_BYTES, subject, options.signal);
      try {
        return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
      } catch {
        throw this.failures.failed(subject, `${bytes.byteLength} bytes that are no JSON`, 'JSON');
      }
    });
  }

  /**
   * Bytes `[start, end)` of a file, with its whole size as the server has it.
   * @throws AppError `hub/*`, `run/cancelled`
   */
  async range(path: string, subject: HubSubject, range: { start: number; end: number }, signal?: AbortSignal): Promise<RangeAnswer> {
    return this.#retry(subject, signal, async () => {
      const { response, totalBytes, first } = await this.#askRange(path, subject, range, signal);
      const bytes = await this.#collect(response, range.end - first, subject, signal);
      const part = bytes.subarray(range.start - first);
      const expected = Math.min(range.end, totalBytes) - range.start;
      if (part.byteLength < expected) throw new Passing(this.failures.cutOff(subject, part.byteLength, expected));
      return { bytes: part, totalBytes };
    });
  }

  /**
   * Bytes from `start` to the end as they come, once: whoever wants the rest of what was cut off asks again from there. `first` in
   * what is yielded: where its bytes begin, since a server that knows no ranges starts anew.
   * @throws AppError `hub/offline` when the connection ends early, and as `range`
   */
  async *stream(path: string, subject: HubSubject, start: number, sizeBytes: number, signal?: AbortSignal): AsyncGenerator<StreamPiece> {
    const { response, totalBytes, first } = await this.#retry(subject, signal, () =>
      this.#askRange(path, subject, { start, end: sizeBytes }, signal),
    );
    if (totalBytes !== sizeBytes) {
      await response.body?.cancel();
      throw this.failures.failed(subject, `a file of ${totalBytes} bytes`, `${sizeBytes} bytes, as the hub lists it`);
    }
    let at = first;
    try {
      for await (const bytes of this.#body(response, subject, signal)) {
        if (at + bytes.byteLength > sizeBytes) throw this.failures.failed(subject, `more than ${sizeBytes} bytes`, `${sizeBytes} bytes`);
        yield { bytes, first: at };
        at += bytes.byteLength;
      }
    } catch (error) {
      throw error instanceof Passing ? error.cause : error;
    }
    if (at < sizeBytes) throw this.failures.cutOff(subject, at - first, sizeBytes - first);
  }

  /** Waits before something is tried again that broke off. @throws AppError `run/cancelled` */
  async backOff(attempt: number, signal?: AbortSignal): Promise<void> {
    await this.#wait(FIRST_BACKOFF_MS * 2 ** attempt, null, signal);
  }

  /** As `GET`; what may pass is told as a `Passing`. */
  async #ask(path: string, subject: HubSubject, { signal, range }: RequestOptions): Promise<Response> {
    throwIfCancelled(signal, subject);
    const headers = new Headers();
    // The path is ours and the endpoint goes before it: the token reaches no other origin. Where a hub sends one on to another origin,
    // fetch itself leaves the header out. @source https://fetch.spec.whatwg.org/#http-redirect-fetch (step on `Authorization`)
    if (this.#token !== null) headers.set('Authorization', `Bearer ${this.#token}`);
    if (range) headers.set('Range', `bytes=${range.start}-${range.end - 1}`);
    const url = new URL(this.endpoint + path);
    if (url.origin !== this.endpoint) throw this.failures.failed(subject, `the address ${url.origin}`, this.endpoint);
    let response: Response;
    try {
      response = await this.#fetch(url.href, { headers, signal, referrerPolicy: 'no-referrer', credentials: 'omit', cache: 'no-store' });
    } catch (error) {
      throwIfCancelled(signal, subject);
      throw new Passing(this.failures.offline(subject, error));
    }
    if (response.ok) return response;
    await response.body?.cancel().catch(() => {});
    const { status } = response;
    const isElsewhere = response.url !== '' && new URL(response.url).origin !== this.endpoint;
    const error = isElsewhere
      ? this.failures.failed(subject, `${status} of ${new URL(response.url).host}`, 'the file')
      : this.failures.refusal(subject, response, this.#saidBy(response));
    // Where a hub sends one on to, an address holds for some time alone: asked again, the hub gives another.
    const isPassing = [408, 429].includes(status) || status >= 500 || (isElsewhere && [401, 403].includes(status));
    throw isPassing ? new Passing(error, status, retryAfterMs(response.headers)) : error;
  }

  /** What a hub gives as the reason, on one line; were the token in it, it would be left out. */
  #saidBy({ headers }: Response): string {
    const said = (headers.get('X-Error-Message') ?? '').slice(0, 300);
    return this.#token === null ? said : said.replaceAll(this.#token, '(the token)');
  }

  async #askRange(path: string, subject: HubSubject, range: { start: number; end: number }, signal?: AbortSignal) {
    const response = await this.#ask(path, subject, { range, signal });
    if (response.status === 206) {
      const header = response.headers.get('Content-Range') ?? '';
      const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header);
      const [first, last, totalBytes] = match ? match.slice(1).map(Number) : [];
      if (!match || first !== range.start || last >= range.end || totalBytes <= last) {
        await response.body?.cancel();
        throw this.failures.failed(subject, `Content-Range ${JSON.stringify(header)}`, `bytes ${range.start} to ${range.end}`);
      }
      return { response, first, totalBytes };
    }
    if (range.start > MAX_SKIPPED_BYTES) {
      await response.body?.cancel();
      throw this.failures.failed(subject, `${response.status} for a range`, '206: the server must give ranges');
    }
    const length = response.headers.get('Content-Length');
    // Compressed on the way, its length would be another.
    const totalBytes = length !== null && !response.headers.has('Content-Encoding') ? Number(length) : range.end;
    return { response, first: 0, totalBytes };
  }

  async #collect(response: Response, limit: number, subject: HubSubject, signal?: AbortSignal): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const bytes of this.#body(response, subject, signal)) {
      const taken = bytes.subarray(0, limit - length);
      pieces.push(taken);
      length += taken.byteLength;
      if (length === limit) break;
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    return whole;
  }

  /** @throws Passing when the connection breaks or says nothing for too long. */
  async *#body(response: Response, subject: HubSubject, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (!reader) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isWhole = false;
    let isIdle = false;
    const giveUp = () => {
      isIdle = true;
      void reader.cancel();
    };
    try {
      for (;;) {
        timer = setTimeout(giveUp, this.#idleMs);
        const { done, value } = await reader.read();
        clearTimeout(timer);
        throwIfCancelled(signal, subject);
        if (isIdle) throw new Error(`nothing for ${this.#idleMs / 1000} s`);
        if (done) break;
        yield value;
      }
      isWhole = true;
    } catch (error) {
      throwIfCancelled(signal, subject);
      throw new Passing(this.failures.offline(subject, error));
    } finally {
      clearTimeout(timer);
      if (!isWhole) await reader.cancel().catch(() => {});
    }
  }

  async #retry<T>(subject: HubSubject, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Passing)) throw error;
        const { cause, status, waitMs } = error;
        if (attempt + 1 >= ATTEMPTS || (waitMs ?? 0) > MAX_WAIT_MS) throw cause;
        throwIfCancelled(signal, subject);
        await this.#wait(waitMs ?? FIRST_BACKOFF_MS * 2 ** attempt, status, signal);
      }
    }
  }

  async #wait(ms: number, status: number | null, signal?: AbortSignal): Promise<void> {
    this.#onWait({ host: this.host, seconds: ms / 1000, status });
    await this.#sleep(ms, signal);
  }
}

export interface RangeAnswer {
  bytes: Uint8Array;
  totalBytes: number;
}

export interface StreamPiece {
  bytes: Uint8Array;
  first: number;
}

/** Scheme and host of a hub. @throws AppError `hub/failed` */
export function checkEndpoint(endpoint: string, hasToken: boolean): { origin: string; host: string } {
  const refuse = (found: string, expected: string) =>
    new AppError('hub/failed', `the hub's address: ${found} was found, ${expected} was expected`, { found, expected });
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url === null || !['https:', 'http:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw refuse(JSON.stringify(endpoint), `an address as ${DEFAULT_ENDPOINT}`);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw refuse(endpoint, `an address without a path, as ${url.origin}`);
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (hasToken && url.protocol === 'http:' && !isHere)
    throw refuse(`${url.origin} with a token`, 'https, since a token must not be overheard');
  return { origin: url.origin, host: url.host };
}

export function throwIfCancelled(signal: AbortSignal | undefined, { id }: Pick<HubSubject, 'id'>): void {
  if (signal?.aborted) throw new AppError('run/cancelled', `${id}: the request to the hub was cancelled`);
}

/** Seconds, or a date, or the `t` of the draft header that Hugging Face sends. @source RFC 9110, 10.2.3 */
function retryAfterMs(headers: Headers): number | null {
  const after = headers.get('Retry-After');
  if (after !== null && /^\d+$/.test(after)) return Number(after) * 1000;
  const date = after === null ? NaN : Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now());
  const seconds = /;\s*t=(\d+)/.exec(headers.get('RateLimit') ?? '')?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

function sleepFor(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => {
      clearTimeout(timer);
      reject(new AppError('run/cancelled', 'waiting for the hub was cancelled'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', cancel);
      resolve();
    }, ms);
    if (signal?.aborted) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}
