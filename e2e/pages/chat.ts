/** Chat: a message, and what base and tuned say to it. */
import { expect, type Locator, type Page } from '@playwright/test';

export class ChatPage {
  readonly message: Locator;
  readonly send: Locator;
  /** The latest exchange. */
  readonly latest: Locator;

  constructor(page: Page) {
    this.message = page.getByRole('textbox').first();
    this.send = page.getByRole('button', { name: 'Send' });
    this.latest = page.getByTestId('exchange').first();
  }

  side(name: 'Base' | 'Tuned'): Locator {
    return this.latest.getByRole('region', { name });
  }

  async ask(message: string): Promise<void> {
    await this.message.fill(message);
    await this.send.click();
    await expect(this.latest).toContainText(message);
    for (const side of ['Base', 'Tuned'] as const)
      await expect(this.side(side)).toHaveAttribute('data-status', 'done', { timeout: 60_000 });
  }

  async answer(name: 'Base' | 'Tuned'): Promise<string> {
    return (await this.side(name).getByRole('paragraph').first().textContent()) ?? '';
  }
}
