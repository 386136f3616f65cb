/** The device's queue, shared by training and generation: short submits, in turn. Knows nothing of tensors. */
import type { Gpu } from '#engine/gpu/device.ts';

/** What can be encoded in slices: a range of dispatches with their work in multiply-adds. */
export interface Encodable {
  readonly length: number;
  work(index: number): number;
  isNeeded(index: number, lossRows: number): boolean;
  encode(pass: GPUComputePassEncoder, start: number, end: number, lossRows: number): void;
}

/** A long dispatch resets drivers and freezes pages: a submit aims for this much GPU time. */
const TARGET_MS = 120;
/** What a device is taken to do before it was measured: slow enough for any, so that the first submit is short. */
const FIRST_WORK_PER_MS = 1e5;
/** A dispatch costs at least this much, however little it computes (about 20 microseconds at 1 GFLOP/s). */
const DISPATCH_WORK = 20_000;
const MAX_IN_FLIGHT = 2;

export class SubmitQueue {
  readonly #gpu: Gpu;
  #turn: Promise<void> = Promise.resolve();
  #inFlight: Promise<void>[] = [];
  #workPerMs = FIRST_WORK_PER_MS;
  #isMeasured = false;
  #lastDone = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Multiply-adds a millisecond, as measured so far. */
  get workPerMs(): number {
    return this.#workPerMs;
  }

  /**
   * Submits a program in slices of bounded GPU time. Others may submit in between. `finish` encodes copies behind the last
   * dispatch, in the last submit. Resolves when everything is submitted, with at most two slices not yet done.
   */
  async replay(program: Encodable, lossRows: number, finish?: (encoder: GPUCommandEncoder) => void): Promise<void> {
    let start = 0;
    do {
      const budget = this.#workPerMs * TARGET_MS;
      let end = start;
      let work = 0;
      while (end < program.length && (work === 0 || work < budget)) {
        if (program.isNeeded(end, lossRows)) work += program.work(end) + DISPATCH_WORK;
        end++;
      }
      const [from, to] = [start, end];
      await this.#submit(work, (encoder) => {
        const pass = encoder.beginComputePass();
        program.encode(pass, from, to, lossRows);
        pass.end();
        if (to >= program.length) finish?.(encoder);
      });
      start = end;
    } while (start < program.length);
  }

  /** Submits copies alone, in turn. */
  async copy(encode: (encoder: GPUCommandEncoder) => void): Promise<void> {
    await this.#submit(0, encode);
  }

  /** Waits until all that was submitted is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #submit(work: number, encode: (encoder: GPUCommandEncoder) => void): Promise<void> {
    const before = this.#turn;
    let release = () => {};
    this.#turn = new Promise((resolve) => (release = resolve));
    await before;
    try {
      while (this.#inFlight.length >= MAX_IN_FLIGHT) await this.#inFlight[0];
      const encoder = this.#gpu.device.createCommandEncoder();
      encode(encoder);
      const submittedAt = performance.now();
      this.#gpu.device.queue.submit([encoder.finish()]);
      const done: Promise<void> = this.#gpu.device.queue.onSubmittedWorkDone().then(() => this.#measure(work, submittedAt, done));
      // Of a device that is lost: the next submit meets the same error and throws it.
      done.catch(() => undefined);
      this.#inFlight.push(done);
    } finally {
      release();
    }
  }

  #measure(work: number, submittedAt: number, done: Promise<void>): void {
    this.#inFlight = this.#inFlight.filter((other) => other !== done);
    const now = performance.now();
    const elapsedMs = now - Math.max(submittedAt, this.#lastDone);
    this.#lastDone = now;
    // Tiny submits measure latency, not speed.
    if (work < this.#workPerMs || elapsedMs <= 0) return;
    const measured = work / elapsedMs;
    this.#workPerMs = this.#isMeasured ? 0.7 * this.#workPerMs + 0.3 * measured : measured;
    this.#isMeasured = true;
  }
}
