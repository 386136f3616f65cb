/** The points of a run's curves: every step kept, at most so many drawn. Knows no chart. */
import type { StepMetrics } from '#protocol/trainer.ts';

export interface CurvePoint {
  step: number;
  lossNats: number;
  /** Debiased exponential moving average of the loss, as TensorBoard smooths. */
  smoothLossNats: number;
  perplexity: number;
  smoothPerplexity: number;
}

/** More points than pixels say nothing. */
export const MAX_POINTS = 800;
const SMOOTHING = 0.9;
/** A smoothed loss this far above its lowest, after so many steps, has turned round and is no noise. */
const RISE_NATS = 0.5;
const RISE_AFTER_STEPS = 20;

export class MetricSeries {
  #points: CurvePoint[] = [];
  #mean = 0;
  #bias = 1;
  #lowest = Number.POSITIVE_INFINITY;
  #version = 0;
  readonly #listeners = new Set<() => void>();

  /** Changes with every append: what `useSyncExternalStore` compares. */
  get version(): number {
    return this.#version;
  }

  get length(): number {
    return this.#points.length;
  }

  /** Whether the smoothed loss has gone well above its lowest. */
  get isRising(): boolean {
    const last = this.#points.at(-1);
    return last !== undefined && this.#points.length > RISE_AFTER_STEPS && last.smoothLossNats > this.#lowest + RISE_NATS;
  }

  append(steps: readonly StepMetrics[]): void {
    for (const { step, lossNats } of steps) {
      if (Number.isFinite(lossNats)) {
        this.#mean = SMOOTHING * this.#mean + (1 - SMOOTHING) * lossNats;
        this.#bias *= SMOOTHING;
      }
      const smoothLossNats = this.#bias < 1 ? this.#mean / (1 - this.#bias) : lossNats;
      if (Number.isFinite(smoothLossNats)) this.#lowest = Math.min(this.#lowest, smoothLossNats);
      const [perplexity, smoothPerplexity] = [Math.exp(lossNats), Math.exp(smoothLossNats)];
      this.#points.push({ step, lossNats, smoothLossNats, perplexity, smoothPerplexity });
    }
    this.#changed();
  }

  clear(): void {
    this.#points = [];
    this.#mean = 0;
    this.#bias = 1;
    this.#lowest = Number.POSITIVE_INFINITY;
    this.#changed();
  }

  /**
   * At most `limit` points, as many steps behind each: of these the loss that is farthest from their mean, so that spikes are
   * seen, and the smoothed loss at their end.
   */
  drawn(limit = MAX_POINTS): CurvePoint[] {
    const points = this.#points;
    if (points.length <= limit) return [...points];
    return Array.from({ length: limit }, (_, i) => {
      const steps = points.slice(Math.floor((i * points.length) / limit), Math.floor(((i + 1) * points.length) / limit));
      const last = steps[steps.length - 1];
      const mean = steps.reduce((sum, { lossNats }) => sum + lossNats, 0) / steps.length;
      const farthest = steps.reduce((a, b) => (Math.abs(b.lossNats - mean) > Math.abs(a.lossNats - mean) ? b : a));
      return { ...last, lossNats: farthest.lossNats, perplexity: farthest.perplexity };
    });
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}
