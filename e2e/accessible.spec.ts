/** Every page in light and dark: axe finds nothing serious. */
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { StudioPage } from './pages/studio.ts';

const PLACES = ['Model', 'Data', 'Recipe', 'Train', 'Chat', 'Export', 'Runs'] as const;

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`axe finds nothing serious on any page, ${colorScheme}, ${width} pixels wide`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const studio = new StudioPage(page);
      await studio.open();
      await expect(page.getByText('This is the demo')).toBeVisible();
      const found: string[] = [];
      for (const place of PLACES) {
        await studio.goTo(place);
        const { violations } = await new AxeBuilder({ page }).analyze();
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        for (const { id, nodes } of serious) found.push(`${place}: ${id} at ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
      }
      expect(found).toEqual([]);
    });
  }
}
