/** Rates, time left, and events of a bearable number: what a long job says of itself. Reads the clock, sets no timer. */
import type { StepMetrics } from '#protocol/trainer.ts';
import type { StepReport } from '#engine/train/trainer.ts';

/** Rate and time left of a job, smoothed over about ten reports. */
export class RateMeter {
  #last: { at: number; done: number } | null = null;
  #perSecond = 0;

  at(done: number, total: number): { done: number; total: number; perSecond: number; secondsLeft: number | null } {
    const now = performance.now();
    if (this.#last && now > this.#last.at && done > this.#last.done) {
      const rate = ((done - this.#last.done) * 1000) / (now - this.#last.at);
      this.#perSecond = this.#perSecond === 0 ? rate : 0.8 * this.#perSecond + 0.2 * rate;
    }
    this.#last = { at: now, done };
    return { done, total, perSecond: this.#perSecond, secondsLeft: this.#perSecond > 0 ? (total - done) / this.#perSecond : null };
  }

  /** After a pause: the time that went by is not counted. */
  restart(): void {
    this.#last = null;
  }
}

const FLUSH_MS = 100;

/** Gathers steps so that at most ten events a second leave. */
export class MetricBatcher {
  readonly #emit: (steps: StepMetrics[]) => void;
  #waiting: StepMetrics[] = [];
  #flushedAt = -Infinity;

  constructor(emit: (steps: StepMetrics[]) => void) {
    this.#emit = emit;
  }

  add(report: StepReport): void {
    const { step, epoch, lossNats, gradientNorm, learningRate, lossTokens, realTokens, stepMs } = report;
    const tokensPerSecond = stepMs > 0 ? (realTokens * 1000) / stepMs : 0;
    this.#waiting.push({ step, epoch, lossNats, gradientNorm, learningRate, lossTokens, realTokens, tokensPerSecond, stepMs });
  }

  isDue(): boolean {
    return performance.now() - this.#flushedAt >= FLUSH_MS;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    this.#flushedAt = performance.now();
    this.#emit(this.#waiting);
    this.#waiting = [];
  }
}
