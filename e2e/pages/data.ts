/** Data: the template, the prompt of one row, the rows. */
import type { Locator, Page } from '@playwright/test';

export class DataPage {
  readonly template: Locator;
  readonly preview: Locator;
  /** The tokens of the preview that carry loss. */
  readonly lossTokens: Locator;
  readonly rowNumber: Locator;
  readonly table: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.template = page.getByLabel('Template', { exact: true });
    this.preview = page.getByTestId('preview');
    this.lossTokens = this.preview.locator('[data-loss="true"]');
    this.rowNumber = page.getByText(/^Row \d[\d,]* of /);
    this.table = page.getByRole('region', { name: 'Rows of the dataset' });
  }

  async nextRow(): Promise<void> {
    await this.#page.locator('body').press('ArrowRight');
  }

  async previousRow(): Promise<void> {
    await this.#page.locator('body').press('ArrowLeft');
  }
}
