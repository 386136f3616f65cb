/** A browser that offers no WebGPU: the page says why, and what to do in each browser. */
import { expect, test } from '@playwright/test';
import { trainRows } from './files/demo.ts';
import { StudioPage } from './pages/studio.ts';

test('says why there is nothing to compute on, and what to do about it', async ({ page }) => {
  await page.addInitScript(() => {
    Reflect.deleteProperty(Navigator.prototype, 'gpu');
  });
  await page.goto('/');
  const studio = new StudioPage(page);
  await expect(studio.error).toContainText('This page has no WebGPU');
  await expect(studio.train.button(/^Start training$|^Train the demo$/)).toBeDisabled();
  await page.getByRole('alert').getByRole('link', { name: 'Go to Model' }).click();
  await expect(page.getByRole('heading', { name: 'This browser gives the page nothing to compute on' })).toBeVisible();
  const browsers = page.getByRole('heading', { level: 3 });
  await expect(browsers).toHaveText([/Chrome, Edge.*your browser/, /Safari/, /Firefox/]);
  await expect(page.getByText('chrome://flags')).toBeVisible();
  // Rows can be looked at all the same.
  await studio.goTo('Data');
  await expect(studio.data.table).toContainText(trainRows[0].message.slice(0, 20));
});
