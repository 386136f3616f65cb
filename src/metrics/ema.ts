/** The smoothed line of a chart: an exponential moving average without the bias of its start. Knows numbers alone. */

/**
 * Debiased exponential moving average, one value at a time:
 * m_n = w m_(n-1) + (1 - w) x_n from m_0 = 0, shown as m_n / (1 - w^n), so the first value shows as itself.
 * A value that is not finite is shown as it is and leaves the average alone. `weight` is in [0, 1): 0 smooths nothing.
 * @source TensorBoard's scalar charts, tensorboard/components/vz_line_chart2/line-chart.ts (resmoothDataset)
 */
export class Ema {
  readonly weight: number;
  #mean = 0;
  #bias = 1;

  constructor(weight: number) {
    this.weight = weight;
  }

  /** Takes the next value and returns the smoothed one. */
  next(value: number): number {
    if (!Number.isFinite(value)) return value;
    this.#mean = this.weight * this.#mean + (1 - this.weight) * value;
    this.#bias *= this.weight;
    return this.#mean / (1 - this.#bias);
  }
}

/** All of `values` smoothed. */
export function smooth(values: readonly number[], weight: number): number[] {
  const ema = new Ema(weight);
  return values.map((value) => ema.next(value));
}
