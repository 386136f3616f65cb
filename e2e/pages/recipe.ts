/** Recipe: what it takes, presets, every setting, undo, and the file. */
import { readFile } from 'node:fs/promises';
import { expect, type Locator, type Page } from '@playwright/test';

export class RecipePage {
  /** Method, memory and time in a sentence. */
  readonly verdict: Locator;
  /** What makes the steps. */
  readonly steps: Locator;
  readonly undo: Locator;
  readonly redo: Locator;
  readonly reset: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.verdict = page.getByTestId('recipe-verdict');
    this.steps = page.getByTestId('recipe-steps');
    this.undo = page.getByRole('button', { name: 'Undo', exact: true });
    this.redo = page.getByRole('button', { name: 'Redo', exact: true });
    this.reset = page.getByRole('button', { name: 'Back to the defaults' });
  }

  field(label: string): Locator {
    return this.#page.getByRole('textbox', { name: label, exact: true });
  }

  preset(name: string): Locator {
    return this.#page.getByRole('group', { name: 'Presets' }).getByRole('button', { name: new RegExp(`^${name}`) });
  }

  /** The text of the file that Download gives. */
  async download(): Promise<string> {
    const [download] = await Promise.all([
      this.#page.waitForEvent('download'),
      this.#page.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe('recipe.yaml');
    return readFile(await download.path(), 'utf8');
  }

  async pick(path: string): Promise<void> {
    const [chooser] = await Promise.all([
      this.#page.waitForEvent('filechooser'),
      this.#page.getByRole('button', { name: 'Open a file …' }).click(),
    ]);
    await chooser.setFiles(path);
  }
}
