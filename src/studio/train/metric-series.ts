/** What a run measured, step by step and on held-out rows; what is measured again takes the place of what was. Knows no chart. */
import type { EvaluationMetrics, StepMetrics } from '#protocol/trainer.ts';

/** Of a step, what charts draw. */
export type SeriesStep = Pick<StepMetrics, 'step' | 'lossNats' | 'gradientNorm' | 'learningRate' | 'tokensPerSecond'>;

export class MetricSeries {
  #steps: SeriesStep[] = [];
  #evaluations: EvaluationMetrics[] = [];
  #version = 0;
  readonly #listeners = new Set<() => void>();

  /** Changes with every append: what `useSyncExternalStore` compares. */
  get version(): number {
    return this.#version;
  }

  get length(): number {
    return this.#steps.length;
  }

  /** Every step, ascending. */
  get steps(): readonly SeriesStep[] {
    return this.#steps;
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
  append(steps: readonly SeriesStep[]): void {
    const [first] = steps;
    if (first !== undefined) this.#cut(first.step - 1);
    for (const { step, lossNats, gradientNorm, learningRate, tokensPerSecond } of steps) {
      this.#steps.push({ step, lossNats, gradientNorm, learningRate, tokensPerSecond });
    }
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
    this.#steps = [];
    this.#evaluations = [];
    this.#changed();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #cut(lastStep: number): void {
    if ((this.#steps.at(-1)?.step ?? 0) > lastStep) this.#steps = this.#steps.filter(({ step }) => step <= lastStep);
    if ((this.lastEvaluation?.step ?? 0) > lastStep) this.#evaluations = this.#evaluations.filter(({ step }) => step <= lastStep);
  }

  #changed(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}
