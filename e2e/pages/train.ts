/** Train: the controls, the curves, the answers; and the way to the recipe and back. */
import { expect, type Locator, type Page } from '@playwright/test';
import { RecipePage } from './recipe.ts';

export class TrainPage {
  readonly state: Locator;
  readonly lossChart: Locator;
  readonly answersLine: Locator;
  /** A run that was cut off on another day, with the way to go on. */
  readonly interrupted: Locator;
  readonly answers: Locator;
  /** What the device gives against what is needed; stands on Model as well. */
  readonly budget: { verdict: Locator; check: Locator; byHand: Locator };
  /** What is said of a run that went on unseen. */
  readonly outOfSight: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.state = page.getByTestId('run-state');
    this.lossChart = page.getByRole('figure', { name: /^Loss/ });
    this.interrupted = page.getByText(/^A run on .* stopped at step/).locator('..');
    this.answersLine = page.getByTestId('answers-line');
    this.outOfSight = page.getByText(/tab was out of sight/);
    this.budget = {
      verdict: page.getByTestId('budget'),
      check: page.getByRole('button', { name: /^Check (this device|again)$/ }),
      byHand: page.getByRole('textbox', { name: 'Budget, GiB' }),
    };
    this.answers = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Expected' }) });
  }

  button(name: string | RegExp): Locator {
    return this.#page.getByRole('button', { name });
  }

  /** Changes a setting where it stands, on Recipe, and comes back. */
  async set(label: string, value: string): Promise<void> {
    await this.#goTo('Recipe');
    await new RecipePage(this.#page).field(label).fill(value);
    await this.#goTo('Train');
  }

  async #goTo(place: 'Recipe' | 'Train'): Promise<void> {
    await this.#page
      .getByRole('navigation')
      .getByRole('link', { name: new RegExp(`^${place}`) })
      .click();
    await expect(this.#page.getByRole('heading', { level: 1, name: place })).toBeVisible();
  }

  async start(): Promise<void> {
    const start = this.button(/^(Train the demo|Start training|Train again)$/);
    await expect(start).toBeEnabled();
    await start.click();
  }

  /** One of the figures: Step, Loss, Validation loss, Kept, ... */
  figure(label: string): Locator {
    return this.#page
      .getByTestId('figures')
      .locator('div')
      .filter({ has: this.#page.getByText(label, { exact: true }) });
  }

  /** Goes on with the run that was cut off. */
  async goOn(): Promise<void> {
    await this.interrupted.getByRole('button', { name: /^(Go on from step \d|Start it again)/ }).click();
  }

  /** The number of MiB that the memory figure names. */
  async memoryMiB(): Promise<number> {
    return mebibytes(this.#page.getByTestId('figures').locator('div').filter({ hasText: 'Memory' }));
  }

  async peakMiB(): Promise<number> {
    return mebibytes(this.#page.getByText(/^Peak /));
  }

  /** The number of the step that the state names. */
  async step(): Promise<number> {
    const words = (await this.state.textContent()) ?? '';
    return Number(/step (\d+)/.exec(words)?.[1] ?? 0);
  }

  async points(): Promise<number> {
    return Number(await this.lossChart.getAttribute('data-points'));
  }

  /** The loss of each step in nats per token, as the chart's cursor reads it on the way from the first point to the last. */
  async losses(): Promise<number[]> {
    const points = await this.points();
    const tooltip = this.lossChart.locator('.recharts-tooltip-wrapper');
    await this.lossChart.getByRole('application').focus();
    const losses: number[] = [];
    for (let step = 1; step <= points; step++) {
      if (step > 1) await this.#page.keyboard.press('ArrowRight');
      await expect(tooltip).toContainText(new RegExp(`step ${step}(?!\\d)`));
      losses.push(Number(/each step ([\d.]+)/.exec((await tooltip.textContent()) ?? '')?.[1] ?? Number.NaN));
    }
    return losses;
  }
}

async function mebibytes(locator: Locator): Promise<number> {
  return Number(/([\d.]+) MiB/.exec((await locator.textContent()) ?? '')?.[1] ?? Number.NaN);
}
