/** Model: what is loaded. */
import type { Locator, Page } from '@playwright/test';

export class ModelPage {
  readonly name: Locator;

  constructor(page: Page) {
    this.name = page.getByTestId('model-name');
  }
}
