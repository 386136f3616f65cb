import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Gpu } from '#engine/gpu/device.ts';
import { type Encodable, SubmitQueue } from '#engine/gpu/submit-queue.ts';

/** A device that does `workPerMs` multiply-adds a millisecond, and notes what was submitted when. */
function slowDevice(workPerMs: number) {
  const submits: { labels: string[]; work: number; inFlight: number }[] = [];
  let encoding: { label: string; work: number }[] = [];
  let busyUntil = performance.now();
  let inFlight = 0;
  const done: Promise<void>[] = [];
  const gpu = {
    device: {
      createCommandEncoder() {
        encoding = [];
        return { beginComputePass: () => ({ end: () => undefined }), finish: () => encoding };
      },
      queue: {
        submit([commands]: [typeof encoding]) {
          const work = commands.reduce((sum, command) => sum + command.work, 0);
          inFlight++;
          submits.push({ labels: [...new Set(commands.map(({ label }) => label))], work, inFlight });
          busyUntil = Math.max(busyUntil, performance.now()) + work / workPerMs;
          const wait = busyUntil - performance.now();
          done.push(new Promise<void>((resolve) => setTimeout(resolve, wait)).then(() => void inFlight--));
        },
        onSubmittedWorkDone: () => done.at(-1),
      },
    },
  } as unknown as Gpu;
  const program = (label: string, works: number[]): Encodable => ({
    length: works.length,
    work: (i) => works[i],
    isNeeded: () => true,
    encode: (_pass, start, end) => encoding.push(...works.slice(start, end).map((work) => ({ label, work }))) as unknown as void,
  });
  return { gpu, program, submits };
}

describe('SubmitQueue', () => {
  // The clock is the test's own: what is measured does not depend on how busy this machine is.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  async function settled(...work: Promise<unknown>[]): Promise<void> {
    const waiting = { count: work.length };
    for (const part of work) void part.finally(() => waiting.count--);
    while (waiting.count > 0) await vi.advanceTimersByTimeAsync(1);
    await Promise.all(work);
  }

  it('cuts a program into submits of bounded time, and learns the speed of the device', async () => {
    const workPerMs = 200_000;
    const { gpu, program, submits } = slowDevice(workPerMs);
    const queue = new SubmitQueue(gpu);
    const works = Array.from({ length: 300 }, () => 1e6);
    await settled(queue.replay(program('step', works), 0));
    await settled(queue.idle());
    expect(submits.length).toBeGreaterThan(5);
    expect(submits.reduce((sum, { work }) => sum + work, 0)).toBe(300e6);
    expect(Math.max(...submits.map(({ work }) => work / workPerMs))).toBeLessThan(300);
    expect(queue.workPerMs / workPerMs).toBeGreaterThan(0.5);
    expect(queue.workPerMs / workPerMs).toBeLessThan(1.5);
  });

  it('keeps at most two submits in flight', async () => {
    vi.useRealTimers();
    const { gpu, program, submits } = slowDevice(1e7);
    const queue = new SubmitQueue(gpu);
    await Promise.all(
      ['a', 'b', 'c'].map((label) =>
        queue.replay(
          program(
            label,
            Array.from({ length: 40 }, () => 2e7),
          ),
          0,
        ),
      ),
    );
    await queue.idle();
    expect(Math.max(...submits.map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(2);
  });

  it('lets another program in between two slices of a long one', async () => {
    const { gpu, program, submits } = slowDevice(1e7);
    const queue = new SubmitQueue(gpu);
    const long = queue.replay(
      program(
        'training',
        Array.from({ length: 60 }, () => 2e7),
      ),
      0,
    );
    const short = queue.replay(program('chat', [1e6]), 0);
    await settled(long, short);
    const order = submits.map(({ labels }) => labels[0]);
    expect(order.indexOf('chat')).toBeGreaterThan(0);
    expect(order.indexOf('chat')).toBeLessThan(3);
  });

  it('encodes what comes behind the last dispatch once, also for a program without dispatches', async () => {
    const { gpu, program } = slowDevice(1e9);
    const queue = new SubmitQueue(gpu);
    let finished = 0;
    await settled(queue.replay(program('empty', []), 0, () => finished++));
    const long = queue.replay(
      program(
        'long',
        Array.from({ length: 30 }, () => 1e8),
      ),
      0,
      () => finished++,
    );
    await settled(long);
    expect(finished).toBe(2);
  });
});
