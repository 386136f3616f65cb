/** A run of the demo that takes seconds and touches all that a checkpoint holds; broken off, gone on with, and compared by its bytes. */
import { expect } from '@playwright/test';
import { keptRuns } from '../storage/kept-runs.ts';
import type { StudioPage } from './studio.ts';

const STEPS = 24;
const SAVE_EVERY = 4;
/** With dropout, accumulation and evaluations: random numbers, a place between rows and a best step are in its checkpoints. */
const FIELDS = {
  'Batch size': 2,
  Accumulation: 2,
  Dropout: 0.1,
  'Save every': SAVE_EVERY,
  'Evaluate every': 12,
};
const WAIT_MS = 90_000;
/** On two loaded cores a step takes a second. */
const STEP_MS = 2_500;

/** What a run ends with: the SHA-256 of its last checkpoint's adapter and optimizer. */
export interface RunBytes {
  adapter: string;
  optimizer: string;
}

export class ShortRun {
  readonly steps: number;
  readonly #studio: StudioPage;

  constructor(studio: StudioPage, steps = STEPS) {
    this.#studio = studio;
    this.steps = steps;
  }

  /** The page is open; afterwards the recipe is there, and nothing has begun. */
  async prepare({ answers = 0 } = {}): Promise<void> {
    const { train } = this.#studio;
    for (const [label, value] of Object.entries({ Steps: this.steps, ...FIELDS })) await train.set(label, String(value));
    await train.set('Rows to answer', String(answers));
    await expect(this.#studio.state('Train')).toHaveText(`ready, ${this.steps} steps`);
    await expect(train.button('Train the demo')).toBeEnabled();
  }

  async begin(options: { answers?: number } = {}): Promise<void> {
    await this.prepare(options);
    await this.#studio.train.start();
  }

  /** Waits until a checkpoint is kept and some steps more are made; the run is still on its way then. */
  async midway(step = SAVE_EVERY + 2): Promise<void> {
    await this.reaches(step);
    expect(await this.#studio.train.step()).toBeLessThan(this.steps);
    const [run] = await keptRuns(this.#studio.page);
    expect(run.steps.at(-1)).toBeGreaterThanOrEqual(SAVE_EVERY);
  }

  async reaches(step: number): Promise<void> {
    await expect.poll(() => this.#studio.train.step(), { intervals: [30], timeout: WAIT_MS }).toBeGreaterThanOrEqual(step);
  }

  /** The step of the last checkpoint that the page told to be kept; 0 before the first. */
  async kept(): Promise<number> {
    const figure = this.#studio.page.getByTestId('figures').locator('div').filter({ hasText: 'Kept' });
    const words = (await figure.getByRole('definition').first().textContent()) ?? '';
    return Number(/step (\d+)/.exec(words)?.[1] ?? 0);
  }

  /** Presses what the page offers for a run that was broken off; the step of the checkpoint that it names, 0 for none. */
  async goOn(): Promise<number> {
    const button = this.#studio.train.button(/^(Go on from step \d+|Start it again)$/);
    await expect(button).toBeEnabled({ timeout: WAIT_MS });
    const step = Number(/\d+$/.exec((await button.textContent()) ?? '')?.[0] ?? 0);
    expect(step % SAVE_EVERY).toBe(0);
    expect(step).toBeLessThan(this.steps);
    await button.click();
    return step;
  }

  /** Waits for the end; each step has its one point in the chart. */
  async end(): Promise<RunBytes> {
    const { train, page } = this.#studio;
    await expect(train.state).toHaveText(`done, ${this.steps} steps`, { timeout: WAIT_MS + this.steps * STEP_MS });
    await expect.poll(() => train.points()).toBe(this.steps);
    const runs = await keptRuns(page);
    expect(runs).toHaveLength(1);
    const [{ steps, hashes }] = runs;
    expect(steps.at(-1)).toBe(this.steps);
    return { adapter: hashes['adapter_model.safetensors'], optimizer: hashes['optimizer.safetensors'] };
  }
}
