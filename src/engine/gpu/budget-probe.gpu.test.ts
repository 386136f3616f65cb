import { afterEach, describe, expect, it } from 'vitest';
import { probeBudget } from '#engine/gpu/budget-probe.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';

const MIB = 1024 * 1024;
const CAP = 512 * MIB;

let gpu: Gpu;
const open = async (): Promise<Gpu> => (gpu = await openGpu(nodeGpu()));
afterEach(() => gpu.destroy());

/** Lets every allocation fail that would take the device's bytes past a limit, as a driver that is full does. */
function limitTo(limitBytes: number): void {
  const { device, ledger } = gpu;
  const pop = device.popErrorScope.bind(device);
  // The inner scope is of validation, the outer one of memory: every second pop is of memory.
  let pops = 0;
  device.popErrorScope = async () => {
    const isFull = ++pops % 2 === 0 && ledger.liveBytes > limitBytes;
    const found = await pop();
    return isFull ? { message: 'no memory left' } : found;
  };
}

describe('the budget probe', () => {
  it('takes as much as it may, written to the last byte, and gives it back', async () => {
    await open();
    const before = process.memoryUsage().rss;
    const told: number[] = [];
    let atMost = 0;
    const result = await probeBudget(gpu, {
      capBytes: CAP,
      pieceBytes: 128 * MIB,
      onProgress: (held, cap) => {
        expect(cap).toBe(CAP);
        told.push(held / MIB);
        atMost = Math.max(atMost, process.memoryUsage().rss);
      },
    });
    expect(result).toEqual({ budgetBytes: CAP, reachedCap: true });
    expect(told).toEqual([128, 256, 384, 512]);
    // Software adapters take RAM, so what is really backed shows in the process.
    expect((atMost - before) / CAP).toBeGreaterThan(0.9);
    expect(gpu.ledger.liveBytes).toBe(0);
    // Dawn lets destroyed buffers go with the next submit, or with the device.
    gpu.destroy();
    expect((process.memoryUsage().rss - before) / CAP).toBeLessThan(0.5);
  });

  it('halves the piece that is refused, down to 16 MiB', async () => {
    await open();
    limitTo(300 * MIB);
    const told: number[] = [];
    const result = await probeBudget(gpu, { capBytes: CAP, pieceBytes: 128 * MIB, onProgress: (held) => told.push(held / MIB) });
    expect(told).toEqual([128, 256, 288]);
    expect(result).toEqual({ budgetBytes: 288 * MIB, reachedCap: false });
    expect(gpu.ledger.liveBytes).toBe(0);
  });

  it('answers with the last size that worked when the device is lost on the way', async () => {
    await open();
    const result = await probeBudget(gpu, {
      capBytes: CAP,
      pieceBytes: 64 * MIB,
      onProgress: (held) => {
        if (held === 192 * MIB) gpu.destroy();
      },
    });
    expect(result).toEqual({ budgetBytes: 192 * MIB, reachedCap: false });
    expect(gpu.ledger.liveBytes).toBe(0);
  });

  it('gives everything back when it is cancelled', async () => {
    await open();
    const abort = new AbortController();
    const probe = probeBudget(gpu, { capBytes: CAP, pieceBytes: 64 * MIB, signal: abort.signal, onProgress: () => abort.abort() });
    await expect(probe).rejects.toMatchObject({ code: 'run/cancelled' });
    expect(gpu.ledger.liveBytes).toBe(0);
  });
});
