/** Export: the adapter's files. */
import { readFile } from 'node:fs/promises';
import type { Locator, Page } from '@playwright/test';

export class ExportPage {
  readonly make: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.make = page.getByRole('button', { name: 'Make the files' });
  }

  async download(name: string): Promise<Buffer> {
    const started = this.#page.waitForEvent('download');
    await this.#page.getByRole('button', { name: `Download ${name}` }).click();
    return readFile(await (await started).path());
  }
}
