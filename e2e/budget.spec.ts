/** What this device gives: checked in the page, said by hand, kept for the next visit. */
import { expect, test } from '@playwright/test';
import { StudioPage } from './pages/studio.ts';

test('checks the device, says whether the run fits, and keeps what it learnt', async ({ page }) => {
  // A quarter of it is taken at the most on a software adapter: enough for the demo, and no burden on the machine.
  await page.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'deviceMemory', { get: () => 2 });
  });
  const studio = new StudioPage(page);
  const { budget } = studio.train;
  await studio.open();
  await expect(budget.verdict).toHaveText(/^Needs [\d.]+ MiB, not yet checked here\.$/);
  await budget.check.click();
  await expect(budget.verdict).toHaveText(/^Needs [\d.]+ MiB: fits \(budget 512 MiB\)\.$/, { timeout: 60_000 });

  await page.reload();
  await expect(budget.verdict).toContainText('fits (budget 512 MiB)');
  await budget.byHand.fill('0.01');
  await budget.byHand.press('Enter');
  await expect(budget.verdict).toHaveText(/^Does not fit: needs [\d.]+ MiB, the budget is 10\.2 MiB\.$/);
  await studio.goTo('Model');
  await expect(budget.verdict).toContainText('Does not fit');
  await budget.byHand.fill('much');
  await budget.byHand.press('Enter');
  await expect(page.getByText('Expected: a number of GiB')).toBeVisible();
  await budget.byHand.fill('');
  await budget.byHand.press('Enter');
  await expect(budget.verdict).toContainText('fits (budget 512 MiB)');
});

test('a check can be cancelled, and leaves the page as it was', async ({ page }) => {
  const studio = new StudioPage(page);
  const { budget } = studio.train;
  await studio.open();
  await budget.check.click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(budget.check).toBeEnabled();
  await expect(page.getByRole('progressbar')).toHaveCount(0);
  await expect(studio.error).toHaveCount(0);
  await expect(studio.train.button('Train the demo')).toBeEnabled();
});
