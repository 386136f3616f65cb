/** The points of a run's curves: every step and evaluation kept, at most so many drawn. Knows no chart. */
import type { EvaluationMetrics, StepMetrics } from '#protocol/trainer.ts';

export interface CurvePoint {
  step: number;
  lossNats: number;
  /** Debiased exponential moving average of the loss, as TensorBoard smooths. */
  smoothLossNats: number;
  perplexity: number;
  smoothPerplexity: number;
  /** What the held-out rows measured at this step, where they did. */
  validationLossNats?: number;
  validationPerplexity?: number;
  /** Share of the held-out rows' loss tokens, 0 to 1. */
  accuracy?: number;
  /** The best evaluation so far stands here. */
  isBest?: boolean;
}

interface Smoothed extends CurvePoint {
  /** Weight that the average's zero start still has. */
  bias: number;
  lowest: number;
}

/** More points than pixels say nothing. */
export const MAX_POINTS = 800;
const SMOOTHING = 0.9;
/** A smoothed loss this far above its lowest, after so many steps, has turned round and is no noise. */
const RISE_NATS = 0.5;
const RISE_AFTER_STEPS = 20;

export class MetricSeries {
  #points: Smoothed[] = [];
  #evaluations: EvaluationMetrics[] = [];
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
    return last !== undefined && this.#points.length > RISE_AFTER_STEPS && last.smoothLossNats > last.lowest + RISE_NATS;
  }

  /** Measurements on held-out rows, ascending by step. */
  get evaluations(): readonly EvaluationMetrics[] {
    return this.#evaluations;
  }

  get lastEvaluation(): EvaluationMetrics | null {
    return this.#evaluations.at(-1) ?? null;
  }

  /** Null while nothing was judged: none was measured, or on too few rows. */
  get bestEvaluation(): EvaluationMetrics | null {
    return this.#evaluations.findLast(({ isBest }) => isBest) ?? null;
  }

  /** Steps that were measured before take the place of what came from there on. */
  append(steps: readonly Pick<StepMetrics, 'step' | 'lossNats'>[]): void {
    const [first] = steps;
    if (first !== undefined) this.#cut(first.step - 1);
    for (const { step, lossNats } of steps) this.#add(step, lossNats);
    this.#changed();
  }

  appendEvaluation(evaluation: EvaluationMetrics): void {
    this.#evaluations = [...this.#evaluations.filter(({ step }) => step < evaluation.step), evaluation];
    this.#changed();
  }

  /** The run goes on from `step`: what came after it is measured again. */
  wentBack(step: number): void {
    this.#cut(step);
    this.#changed();
  }

  clear(): void {
    this.#points = [];
    this.#evaluations = [];
    this.#changed();
  }

  /**
   * At most `limit` points, as many steps behind each: of these the loss that is farthest from their mean, so that spikes are
   * seen, and the smoothed loss at their end. An evaluation stands at the first point that is not before it.
   */
  drawn(limit = MAX_POINTS): CurvePoint[] {
    const drawn = this.#thinned(limit);
    const best = this.bestEvaluation;
    let at = 0;
    for (const evaluation of this.#evaluations) {
      const { step, lossNats, accuracy } = evaluation;
      while (at < drawn.length - 1 && drawn[at].step < step) at++;
      const point = drawn[at];
      if (point === undefined) break;
      const isBest = evaluation === best;
      drawn[at] = { ...point, validationLossNats: lossNats, validationPerplexity: Math.exp(lossNats), accuracy, isBest };
    }
    return drawn;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #add(step: number, lossNats: number): void {
    const before = this.#points.at(-1);
    let bias = before?.bias ?? 1;
    let mean = before === undefined || bias === 1 ? 0 : before.smoothLossNats * (1 - bias);
    if (Number.isFinite(lossNats)) {
      mean = SMOOTHING * mean + (1 - SMOOTHING) * lossNats;
      bias *= SMOOTHING;
    }
    const smoothLossNats = bias < 1 ? mean / (1 - bias) : lossNats;
    const lowest = Math.min(before?.lowest ?? Number.POSITIVE_INFINITY, Number.isFinite(smoothLossNats) ? smoothLossNats : Infinity);
    const [perplexity, smoothPerplexity] = [Math.exp(lossNats), Math.exp(smoothLossNats)];
    this.#points.push({ step, lossNats, smoothLossNats, perplexity, smoothPerplexity, bias, lowest });
  }

  #cut(lastStep: number): void {
    if ((this.#points.at(-1)?.step ?? 0) > lastStep) this.#points = this.#points.filter(({ step }) => step <= lastStep);
    if ((this.lastEvaluation?.step ?? 0) > lastStep) this.#evaluations = this.#evaluations.filter(({ step }) => step <= lastStep);
  }

  #thinned(limit: number): CurvePoint[] {
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

  #changed(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}
