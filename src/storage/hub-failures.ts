/** How a hub's failures are named: host, id, what was answered, what can be done. Sends nothing and never sees a token. */
import { AppError, type ErrorCode } from '#base/errors.ts';

/** What a request was for, so that an error can tell it. */
export interface HubSubject {
  kind: 'model' | 'dataset' | 'search';
  id: string;
  /** Of a file: `config.json`. */
  path?: string;
  revision?: string;
}

/** A failure that may be gone at the next try. */
export class Passing extends Error {
  override readonly cause: AppError;
  /** What was answered; null: nothing was. */
  readonly status: number | null;
  /** As the hub asked. */
  readonly waitMs: number | null;

  constructor(cause: AppError, status: number | null = null, waitMs: number | null = null) {
    super(cause.message);
    this.cause = cause;
    this.status = status;
    this.waitMs = waitMs;
  }
}

export class HubFailures {
  readonly #endpoint: string;
  readonly #host: string;
  readonly #hasToken: boolean;

  constructor({ endpoint, host, hasToken }: { endpoint: string; host: string; hasToken: boolean }) {
    this.#endpoint = endpoint;
    this.#host = host;
    this.#hasToken = hasToken;
  }

  failed(subject: HubSubject, found: string, expected: string): AppError {
    return this.#error('hub/failed', subject, `${found} was found, ${expected} was expected`, { found, expected });
  }

  /** A browser tells no page whether it was the network, the name or the other side's CORS. */
  offline(subject: HubSubject, cause: unknown): AppError {
    const found = cause instanceof Error ? reasonOf(cause) : 'no connection';
    return this.#error('hub/offline', subject, `no answer came (${found}); is this device online, and the address right?`, { found });
  }

  cutOff(subject: HubSubject, found: number, expected: number): AppError {
    const message = `the connection ended after ${found} bytes, ${expected} were expected`;
    return this.#error('hub/offline', subject, message, { found, expected });
  }

  /** @source huggingface_hub 1.x utils/_http.py hf_raise_for_status: X-Error-Code, and 401 for what is not there or private */
  refusal(subject: HubSubject, { status, headers }: Response, said: string): AppError {
    const code = headers.get('X-Error-Code');
    const answer = `${status}${code === null ? '' : ` ${code}`}`;
    const page = `${this.#endpoint}/${subject.kind === 'dataset' ? 'datasets/' : ''}${subject.id}`;
    const details = { found: answer, status };
    if (status === 429) return this.#error('hub/rate-limit', subject, '429, too many requests: wait some minutes, or use a token', details);
    if (status === 401 && /invalid credentials/i.test(said)) {
      return this.#error('hub/token', subject, '401, the hub does not know the token', { ...details, expected: 'a valid token' });
    }
    if (status === 403 && code === null) {
      // As of a token that may read no gated repositories: the hub's own words say which right is missing.
      const message = `403${said === '' ? '' : `, ${JSON.stringify(said)}`}: the hub refuses it; see ${page}, and the rights of the token`;
      return this.#error('hub/gated', subject, message, { ...details, expected: page });
    }
    if (code === 'GatedRepo') {
      const how = this.#hasToken ? 'with the account whose token is used' : 'and a token of that account be given';
      const message = `${answer}: it is gated; its terms must be accepted at ${page}, ${how}`;
      return this.#error('hub/gated', subject, message, { ...details, expected: page });
    }
    if (code === 'RevisionNotFound') {
      return this.#error('hub/not-found', subject, `there is no revision ${subject.revision ?? ''}`, {
        ...details,
        expected: 'a revision',
      });
    }
    if (code === 'EntryNotFound') return this.#error('hub/not-found', subject, `${answer}: there is no such file`, details);
    if (status === 401 || status === 403 || status === 404) {
      const message = `${answer}: there is no such ${subject.kind}, or it is private`;
      return this.#error('hub/not-found', subject, message, { ...details, expected: `a ${subject.kind}` });
    }
    return this.#error('hub/failed', subject, `the answer ${answer} was found, a file or a list was expected`, details);
  }

  #error(code: ErrorCode, { id, path }: HubSubject, message: string, details: AppError['details']): AppError {
    const file = path === undefined ? id : `${id}/${path}`;
    return new AppError(code, `${this.#host}: ${file === '' ? '' : `${file}: `}${message}`, { host: this.#host, id, file, ...details });
  }
}

/** Node hides the reason below `fetch failed`. */
function reasonOf(error: Error): string {
  const { cause } = error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : error.message;
}
