/** Runs: the kept runs, what can be done with them, and what is kept on the device. */
import { expect, type Locator, type Page } from '@playwright/test';

export class RunsPage {
  readonly table: Locator;
  /** Each kept run, the newest first. */
  readonly rows: Locator;
  /** All that is kept, by part. */
  readonly storage: Locator;
  /** Files that were found to be other than they were written. */
  readonly damaged: Locator;
  /** Which model to drop for a run that is to go on. */
  readonly waiting: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.table = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Run', exact: true }) });
    this.rows = this.table.locator('tr[data-run]');
    this.storage = page.getByRole('region', { name: 'Kept on this device' });
    this.damaged = page.getByText('Damaged files').locator('..');
    this.waiting = page.getByText(/^Drop .* to go on$/).locator('..');
  }

  /** The first row that names this: a model, a dataset, a state. */
  row(words: string | RegExp): Locator {
    return this.rows.filter({ hasText: words }).first();
  }

  async goOn(row: Locator): Promise<void> {
    await row.getByRole('button', { name: /^Go on with/ }).click();
  }

  /** Brings the adapter of a finished run back. */
  async reopen(row: Locator): Promise<void> {
    await row.getByRole('button', { name: /^Open / }).click();
  }

  /** Takes a run into the comparison, or out of it. */
  async compare(row: Locator): Promise<void> {
    await row.getByRole('checkbox', { name: /^Compare / }).click();
  }

  /** The curves of the runs that are compared, and what they came to. */
  get comparison(): { training: Locator; validation: Locator; table: Locator } {
    return {
      training: this.#page.getByRole('figure', { name: /^Loss compared/ }),
      validation: this.#page.getByRole('figure', { name: /^Validation loss compared/ }),
      table: this.#page.getByRole('region', { name: 'What differs' }).getByRole('table'),
    };
  }

  async rename(row: Locator, { name, note }: { name: string; note: string }): Promise<void> {
    await row.getByRole('button', { name: /^Details of / }).click();
    await this.table.getByRole('textbox', { name: 'Name' }).fill(name);
    await this.table.getByRole('textbox', { name: 'Note' }).fill(note);
    await this.table.getByRole('button', { name: 'Save' }).click();
  }

  async trainFurther(row: Locator, steps: number): Promise<void> {
    await row.getByRole('button', { name: 'Train further' }).click();
    await this.table.getByRole('textbox', { name: 'More steps' }).fill(String(steps));
    await this.table.getByRole('button', { name: 'Train on' }).click();
  }

  /** Asks to delete, and confirms what is asked in its place. */
  async remove(row: Locator): Promise<void> {
    await row.getByRole('button', { name: /^Delete / }).click();
    await expect(row).toContainText('for good');
    await row.getByRole('button', { name: 'Delete', exact: true }).click();
  }

  /** A part of what is kept: Models, Datasets, Runs, Other. */
  part(name: string): Locator {
    return this.storage.getByRole('listitem').filter({ hasText: name }).first();
  }

  async empty(name: string): Promise<void> {
    const part = this.part(name);
    await part.getByRole('button', { name: `Empty ${name}` }).click();
    await part.getByRole('button', { name: 'Empty', exact: true }).click();
  }

  /** On Model: copies the open model into the browser. */
  async keepModel(): Promise<void> {
    await this.#page.getByRole('button', { name: 'Keep this model here' }).click();
    await expect(this.#page.getByText('it opens without being dropped again.', { exact: false }).first()).toBeVisible();
  }

  async openModel(name: string): Promise<void> {
    await this.#page
      .getByRole('button', { name: `Open ${name}` })
      .first()
      .click();
  }
}
