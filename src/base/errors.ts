/** The one error class of the project, with stable codes that cross worker boundaries. Imports nothing. */

/** `<layer>/<what>`. The studio maps every code to a title and an action, so a new code does not compile without its text. */
export type ErrorCode =
  | 'gpu/no-webgpu'
  | 'gpu/no-adapter'
  | 'gpu/device-lost'
  | 'gpu/out-of-memory'
  | 'gpu/validation'
  | 'gpu/limit'
  | 'format/truncated'
  | 'format/invalid'
  | 'format/unsupported'
  | 'model/unsupported'
  | 'model/invalid'
  | 'model/missing-file'
  | 'tokenizer/unsupported'
  | 'tokenizer/invalid'
  | 'template/invalid'
  | 'data/no-rows'
  | 'data/invalid'
  | 'data/missing-column'
  | 'data/no-loss'
  | 'recipe/invalid'
  | 'train/not-finite'
  | 'storage/not-found'
  | 'storage/failed'
  | 'storage/quota'
  | 'storage/damaged'
  | 'hub/not-found'
  | 'hub/gated'
  | 'hub/token'
  | 'hub/rate-limit'
  | 'hub/offline'
  | 'hub/failed'
  | 'run/busy'
  | 'run/cancelled'
  | 'run/no-model'
  | 'run/no-adapter'
  | 'run/other-model'
  | 'run/other-rows'
  | 'run/read-only'
  | 'worker/died'
  | 'internal';

/** Where and what: `file`, `row`, `column`, `tensor`, `found`, `expected`, ... Plain data, safe to clone. */
export type ErrorDetails = Record<string, string | number | boolean | undefined>;

/** An error that a user, a file or a device can cause. The message says what was found and what was expected. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}

/** The form in which an error crosses a worker boundary. */
export interface WireError {
  code: ErrorCode;
  message: string;
  details: ErrorDetails;
  stack?: string;
}

export function toWire(error: unknown): WireError {
  if (error instanceof AppError) return { code: error.code, message: error.message, details: error.details, stack: error.stack };
  if (error instanceof Error) return { code: 'internal', message: `${error.name}: ${error.message}`, details: {}, stack: error.stack };
  return { code: 'internal', message: String(error), details: {} };
}

export function fromWire(wire: WireError): AppError {
  const error = new AppError(wire.code, wire.message, wire.details);
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

/** For our own mistakes; anything a user or a file can cause is an AppError of its own code. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AppError('internal', message);
}

/** Makes a switch over a union exhaustive: adding a member stops it from compiling. */
export function unreachable(value: never): never {
  throw new AppError('internal', `unexpected ${JSON.stringify(value)}`);
}
