/**
 * Calls and events over a message port, typed by one map of each. Knows no call by name.
 * On the wire: `{ready}`, `{id, call, args}`, `{id, value}`, `{id, error}`, `{event, data}`. The casts of the protocol are all here.
 */
import { AppError, fromWire, toWire, type WireError } from '#base/errors.ts';

/** A worker seen from the page, a worker's own scope, or one end of a MessageChannel. */
export interface Port {
  postMessage(message: unknown, options: { transfer: Transferable[] }): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
  /** A MessagePort delivers nothing before this. */
  start?(): void;
}

/** A map of calls: each takes and returns plain data. */
export type CallMap<Calls> = { [Name in keyof Calls]: (...args: never[]) => unknown };

type Arguments<Call> = Call extends (...args: infer Args) => unknown ? Args : never;
type Result<Call> = Call extends (...args: never[]) => infer Value ? Awaited<Value> : never;

/** What answers the calls: an object or a class with a method of each name, asynchronous or not. */
export type Handlers<Calls extends CallMap<Calls>> = {
  [Name in keyof Calls]: (...args: Arguments<Calls[Name]>) => Result<Calls[Name]> | Promise<Result<Calls[Name]>>;
};

export type Emit<Events> = <Name extends keyof Events & string>(event: Name, data: Events[Name]) => void;

/** The calling end. */
export interface Client<Calls extends CallMap<Calls>, Events> {
  /** @throws AppError with the code that the handler threw; `worker/died` when the other end is gone. */
  call<Name extends keyof Calls & string>(name: Name, ...args: Arguments<Calls[Name]>): Promise<Result<Calls[Name]>>;
  /** Returns the function that ends the listening. */
  on<Name extends keyof Events & string>(event: Name, listener: (data: Events[Name]) => void): () => void;
  /** Called once with `worker/died`, at once when that was before. */
  onDied(listener: (error: AppError) => void): void;
}

type Wire =
  | { ready: true }
  | { id: number; call: string; args: unknown[] }
  | { id: number; value: unknown }
  | { id: number; error: WireError }
  | { event: string; data: unknown };

const transfers = new WeakMap<object, Transferable[]>();

/** Marks what moves instead of being copied when `value` is next sent: as an argument, a result or an event. */
export function transfer<Value extends object>(value: Value, list: Transferable[]): Value {
  transfers.set(value, list);
  return value;
}

function takeTransfers(values: readonly unknown[]): Transferable[] {
  return values.flatMap((value) => {
    if (typeof value !== 'object' || value === null) return [];
    const list = transfers.get(value) ?? [];
    transfers.delete(value);
    return list;
  });
}

/** Answers calls with the handlers that `make` builds; what throws crosses with its code. */
export function serve<Calls extends CallMap<Calls>, Events>(port: Port, make: (emit: Emit<Events>) => Handlers<Calls>): void {
  const post = (message: Wire, transfer: Transferable[] = []): void => port.postMessage(message, { transfer });
  const handlers = make((event, data) => post({ event, data }, takeTransfers([data])));
  const answer = async (id: number, name: string, args: unknown[]): Promise<void> => {
    try {
      const handler: unknown = handlers[name as keyof Calls];
      if (typeof handler !== 'function') throw new AppError('internal', `there is no call '${name}'`);
      const value: unknown = await Reflect.apply(handler, handlers, args);
      post({ id, value }, takeTransfers([value]));
    } catch (error) {
      post({ id, error: toWire(error) });
    }
  };
  port.addEventListener('message', (event) => {
    const message = (event as MessageEvent<Wire>).data;
    if ('call' in message) void answer(message.id, message.call, message.args);
  });
  port.start?.();
  post({ ready: true });
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: AppError) => void;
}

/**
 * Connects to the end that `serve` answers at. Calls made before it is ready wait for it. Uncaught errors of a worker, messages that cannot
 * be read and a closed channel end the connection: what waits is rejected with `worker/died`.
 * @param name what died, in the message of that error
 */
export function connect<Calls extends CallMap<Calls>, Events>(port: Port, name: string): Client<Calls, Events> {
  const waiting = new Map<number, Waiting>();
  const listeners = new Map<string, Set<(data: unknown) => void>>();
  const mourners: ((error: AppError) => void)[] = [];
  let queued: (() => void)[] | null = [];
  let death: AppError | null = null;
  let nextId = 1;

  const die = (why: string): void => {
    if (death !== null) return;
    death = new AppError('worker/died', `${name} stopped: ${why}`, { worker: name, found: why });
    for (const { reject } of waiting.values()) reject(death);
    waiting.clear();
    for (const mourner of mourners) mourner(death);
  };
  const receive = (message: Wire): void => {
    if ('ready' in message) {
      for (const send of queued ?? []) send();
      queued = null;
    } else if ('event' in message) {
      for (const listener of listeners.get(message.event) ?? []) listener(message.data);
    } else if (!('call' in message)) {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if ('error' in message) call?.reject(fromWire(message.error));
      else call?.resolve(message.value);
    }
  };
  port.addEventListener('message', (event) => receive((event as MessageEvent<Wire>).data));
  port.addEventListener('error', (event) => die(describeError(event)));
  port.addEventListener('messageerror', () => die('a message could not be read'));
  port.addEventListener('close', () => die('its channel was closed'));
  port.start?.();

  return {
    call: (call, ...args) =>
      new Promise((resolve, reject) => {
        if (death !== null) {
          reject(death);
          return;
        }
        const id = nextId++;
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        const send = (): void => {
          try {
            port.postMessage({ id, call, args } satisfies Wire, { transfer: takeTransfers(args) });
          } catch (error) {
            waiting.delete(id);
            reject(fromWire(toWire(error)));
          }
        };
        if (queued === null) send();
        else queued.push(send);
      }),
    on(event, listener) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set);
      const untyped = listener as (data: unknown) => void;
      set.add(untyped);
      return () => set.delete(untyped);
    },
    onDied(listener) {
      if (death === null) mourners.push(listener);
      else listener(death);
    },
  };
}

/** A worker that could not be loaded gives an event without a message. */
function describeError({ message, filename, lineno }: Partial<ErrorEvent>): string {
  if (message === undefined || message === '') return 'it could not be loaded';
  return filename === undefined || filename === '' ? message : `${message} (${filename}:${lineno})`;
}
