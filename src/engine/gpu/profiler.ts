/** Times each dispatch of a program on the device's own clock, when someone asks. Knows no kernels, and no step pays for it. */
import { AppError, invariant } from '#base/errors.ts';
import { type Gpu, MAP_READ, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import type { Encodable } from '#engine/gpu/submit-queue.ts';

/** WebGPU's limit of a query set. */
const MOST_QUERIES = 4096;
const QUERY_BYTES = 8;

export class Profiler {
  readonly #gpu: Gpu;
  /** Dispatches that are timed at a time: a pass each, a query at either end. */
  readonly #window: number;
  readonly #queries: GPUQuerySet;
  readonly #resolved: OwnedBuffer;
  readonly #staging: OwnedBuffer;

  /**
   * Makes what profiles need, once.
   * @param longest dispatches of the longest program that will be profiled; longer ones take several windows.
   * @throws AppError `gpu/limit` when the device has no timestamps.
   */
  constructor(gpu: Gpu, longest: number) {
    if (!gpu.device.features.has('timestamp-query')) {
      throw new AppError('gpu/limit', 'this device has no timestamp-query, which a profile needs', { expected: 'timestamp-query' });
    }
    this.#gpu = gpu;
    this.#window = Math.max(1, Math.min(longest, MOST_QUERIES / 2));
    const count = 2 * this.#window;
    this.#queries = gpu.device.createQuerySet({ label: 'profile', type: 'timestamp', count });
    gpu.counts.querySets++;
    this.#resolved = gpu.createBuffer('scratch', 'profile', count * QUERY_BYTES, USAGE.queryResolve | USAGE.copySrc);
    this.#staging = gpu.createBuffer('readback', 'profile', count * QUERY_BYTES, USAGE.mapRead | USAGE.copyDst);
  }

  /**
   * Runs the program once, each dispatch in a pass of its own, and waits for it.
   * A browser may round its clock (100 microseconds in Chromium): add up several runs before comparing small kernels.
   * @returns milliseconds by dispatch; 0 for one that a batch with this many loss rows does not need.
   */
  async measure(program: Encodable, lossRows: number): Promise<Float64Array> {
    const times = new Float64Array(program.length);
    for (let start = 0; start < program.length; start += this.#window) {
      await this.#measureWindow(program, start, Math.min(program.length, start + this.#window), lossRows, times);
    }
    return times;
  }

  async #measureWindow(program: Encodable, start: number, end: number, lossRows: number, into: Float64Array): Promise<void> {
    const encoder = this.#gpu.device.createCommandEncoder();
    let count = 0;
    const measured: number[] = [];
    for (let i = start; i < end; i++) {
      if (!program.isNeeded(i, lossRows)) continue;
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet: this.#queries, beginningOfPassWriteIndex: count, endOfPassWriteIndex: count + 1 },
      });
      program.encode(pass, i, i + 1, lossRows);
      pass.end();
      count += 2;
      measured.push(i);
    }
    if (count === 0) return;
    encoder.resolveQuerySet(this.#queries, 0, count, this.#resolved.buffer, 0);
    encoder.copyBufferToBuffer(this.#resolved.buffer, 0, this.#staging.buffer, 0, count * QUERY_BYTES);
    this.#gpu.device.queue.submit([encoder.finish()]);
    await this.#staging.buffer.mapAsync(MAP_READ);
    const nanoseconds = new BigUint64Array(this.#staging.buffer.getMappedRange(0, count * QUERY_BYTES).slice(0));
    this.#staging.buffer.unmap();
    for (const [place, index] of measured.entries()) {
      const [from, to] = [nanoseconds[2 * place], nanoseconds[2 * place + 1]];
      invariant(from !== undefined && to !== undefined, 'a profile has two times a dispatch');
      // A rounded clock may run backwards by its grain.
      into[index] = Math.max(0, Number(to - from) / 1e6);
    }
  }

  destroy(): void {
    this.#queries.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
