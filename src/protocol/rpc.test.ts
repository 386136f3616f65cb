import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import { connect, type Client, type Emit, type Port, serve, transfer } from '#protocol/rpc.ts';

interface Calls {
  add(params: { a: number; b: number }): number;
  fail(): void;
  crash(): void;
  swap(bytes: Uint8Array): { bytes: Uint8Array; sentBytes: number };
  never(): void;
  unclonable(): unknown;
  count(): number;
}
interface Events {
  tick: { n: number };
  bytes: Uint8Array;
}

/** A class, as the sessions are: `this` has to survive. */
class Server {
  readonly #emit: Emit<Events>;
  #count = 0;
  constructor(emit: Emit<Events>) {
    this.#emit = emit;
  }
  async add({ a, b }: { a: number; b: number }): Promise<number> {
    await Promise.resolve();
    this.#emit('tick', { n: a + b });
    return a + b;
  }
  fail(): void {
    throw new AppError('data/missing-column', "rows.json has no column 'x'", { column: 'x', row: 3 });
  }
  crash(): void {
    throw new TypeError('this is not a function');
  }
  swap(bytes: Uint8Array): { bytes: Uint8Array; sentBytes: number } {
    const sentBytes = bytes.byteLength;
    return transfer({ bytes, sentBytes }, [bytes.buffer]);
  }
  async never(): Promise<void> {
    await new Promise<never>(() => {});
  }
  unclonable(): unknown {
    return () => 1;
  }
  count(): number {
    return ++this.#count;
  }
}

const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

function channel(): { page: MessagePort; worker: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  return { page: port1, worker: port2 };
}

function pair(): { client: Client<Calls, Events>; worker: MessagePort; page: MessagePort } {
  const { page, worker } = channel();
  serve<Calls, Events>(worker, (emit) => new Server(emit));
  return { client: connect<Calls, Events>(page, 'the trainer'), worker, page };
}

/** A worker that never gets as far as `serve`, whose events the test makes. */
class SilentPort implements Port {
  readonly posted: unknown[] = [];
  readonly #target = new EventTarget();
  postMessage(message: unknown): void {
    this.posted.push(message);
  }
  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#target.addEventListener(type, listener);
  }
  dispatch(event: Event): void {
    this.#target.dispatchEvent(event);
  }
}

const died = (why: RegExp) => expect.objectContaining({ code: 'worker/died', message: expect.stringMatching(why) as string });

describe('rpc', () => {
  it('answers calls, with `this` and the events in their order', async () => {
    const { client } = pair();
    const ticks: number[] = [];
    const off = client.on('tick', ({ n }) => ticks.push(n));
    expect(await Promise.all([client.call('add', { a: 1, b: 2 }), client.call('add', { a: 3, b: 4 })])).toEqual([3, 7]);
    expect(ticks).toEqual([3, 7]);
    off();
    expect(await client.call('add', { a: 5, b: 5 })).toBe(10);
    expect(ticks).toEqual([3, 7]);
    expect([await client.call('count'), await client.call('count')]).toEqual([1, 2]);
  });

  it('keeps code, message and details of an AppError, and calls anything else internal', async () => {
    const { client } = pair();
    const error = await client.call('fail').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({
      code: 'data/missing-column',
      message: "rows.json has no column 'x'",
      details: { column: 'x', row: 3 },
    });
    expect((error as AppError).stack).toContain('rpc.test.ts');
    await expect(client.call('crash')).rejects.toMatchObject({ code: 'internal', message: 'TypeError: this is not a function' });
    expect(await client.call('add', { a: 1, b: 1 })).toBe(2);
  });

  it('moves what was marked, both ways, and copies the rest', async () => {
    const { client } = pair();
    const copied = new Uint8Array([1, 2, 3]);
    expect(await client.call('swap', copied)).toEqual({ bytes: new Uint8Array([1, 2, 3]), sentBytes: 3 });
    expect(copied.byteLength).toBe(3);
    const moved = new Uint8Array([4, 5]);
    expect((await client.call('swap', transfer(moved, [moved.buffer]))).bytes).toEqual(new Uint8Array([4, 5]));
    expect(moved.byteLength).toBe(0);
  });

  it('holds calls back until the worker is ready, then sends them in order', async () => {
    const { page, worker } = channel();
    const client = connect<Calls, Events>(page, 'the trainer');
    const early = [client.call('count'), client.call('count'), client.call('count')];
    const seen: unknown[] = [];
    worker.addEventListener('message', ({ data }: MessageEvent) => seen.push(data));
    worker.start();
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    serve<Calls, Events>(worker, (emit) => new Server(emit));
    expect(await Promise.all(early)).toEqual([1, 2, 3]);
  });

  it('rejects what waits, and what comes later, when the channel closes', async () => {
    const { client, worker } = pair();
    await client.call('count');
    const waiting = [client.call('never'), client.call('never')];
    const told: AppError[] = [];
    client.onDied((error) => told.push(error));
    worker.close();
    for (const call of waiting) await expect(call).rejects.toEqual(died(/the trainer stopped: its channel was closed/));
    await expect(client.call('count')).rejects.toEqual(died(/closed/));
    client.onDied((error) => told.push(error));
    expect(told).toEqual([died(/closed/), died(/closed/)]);
  });

  it('rejects calls that were still held back when a worker could not be loaded or threw', async () => {
    const port = new SilentPort();
    const client = connect<Calls, Events>(port, 'the data worker');
    const call = client.call('count');
    port.dispatch(new Event('error'));
    await expect(call).rejects.toEqual(died(/the data worker stopped: it could not be loaded/));
    expect(port.posted).toEqual([]);

    const other = new SilentPort();
    const crashed = connect<Calls, Events>(other, 'the data worker').call('count');
    other.dispatch(Object.assign(new Event('error'), { message: 'ReferenceError: x', filename: 'data.worker.js', lineno: 7 }));
    await expect(crashed).rejects.toEqual(died(/ReferenceError: x \(data\.worker\.js:7\)/));
  });

  it('turns what cannot be sent into an error of the call alone', async () => {
    const { client } = pair();
    await expect(client.call('unclonable')).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('DataCloneError') as string,
    });
    const bad = client.call('add', { a: 1, b: (() => 1) as unknown as number });
    await expect(bad).rejects.toMatchObject({ code: 'internal', message: expect.stringContaining('DataCloneError') as string });
    expect(await client.call('count')).toBe(1);
  });

  it('refuses a call that the worker does not know', async () => {
    const { page, worker } = channel();
    serve<Calls, Events>(worker, (emit) => new Server(emit));
    const client = connect<Calls & { missing(): void }, Events>(page, 'the trainer');
    await expect(client.call('missing')).rejects.toMatchObject({ code: 'internal', message: "there is no call 'missing'" });
  });
});
