/** The recipe: presets, undo, its file out and in, and what it says of memory, steps and time. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { recipe as shipped } from './files/demo.ts';
import { StudioPage } from './pages/studio.ts';

test('changes the recipe by presets, fields and a file, and takes each change back', async ({ page }) => {
  const studio = new StudioPage(page);
  const { recipe } = studio;
  await studio.open();
  await studio.goTo('Recipe');
  await expect(recipe.verdict).toHaveText(
    /^LoRA of rank 16 on all linears needs [\d.]+ MiB, not yet checked here; how long its 150 steps take is not/,
  );
  await expect(recipe.preset('Balanced')).toHaveAttribute('aria-pressed', 'true');
  await expect(recipe.undo).toBeDisabled();

  await recipe.preset('Quick try').click();
  await expect(studio.state('Recipe')).toHaveText('LoRA r 8, 60 steps');
  await expect(recipe.field('Steps')).toHaveValue('60');
  await recipe.field('Steps').fill('40');
  await expect(page.getByText('40 steps is little to learn in')).toBeVisible();
  await recipe.field('Learning rate').fill('0.5');
  await expect(page.getByText('A learning rate of 0.5 is far above the usual 0.005 for LoRA at this size.')).toBeVisible();

  // Outside of fields of text the keys take back what was changed.
  await page.getByRole('heading', { level: 1 }).click();
  await page.keyboard.press('Control+z');
  await expect(recipe.field('Learning rate')).toHaveValue(String(shipped.learning_rate));
  await expect(recipe.field('Steps')).toHaveValue('40');
  await page.keyboard.press('Control+z');
  await expect(recipe.field('Steps')).toHaveValue('60');
  await recipe.undo.click();
  await expect(recipe.field('Steps')).toHaveValue('150');
  await expect(recipe.undo).toBeDisabled();
  await recipe.redo.click();
  await recipe.redo.click();
  await expect(recipe.field('Steps')).toHaveValue('40');

  const text = await recipe.download();
  expect(text).toContain('\nmax_steps: 40\n');
  await recipe.reset.click();
  await expect(recipe.field('Steps')).toHaveValue('150');
  const path = test.info().outputPath('mine.yaml');
  await writeFile(path, text);
  await recipe.pick(path);
  await expect(page.getByText('mine.yaml was opened')).toBeVisible();
  await expect(recipe.field('Steps')).toHaveValue('40');

  await writeFile(path, 'seed: 5\nlora_rank: 4\n');
  await studio.goTo('Train');
  await studio.drop(path);
  await expect(studio.error).toContainText('mine.yaml was not opened, and nothing was changed');
  await expect(studio.error).toContainText('Line 2: lora_rank: an unknown field was found, lora_r was expected.');
  await expect(recipe.field('Steps')).toHaveValue('40');
});

test('tells the time of a run once one was measured, and after a reload', async ({ page }) => {
  const studio = new StudioPage(page);
  const { recipe, train } = studio;
  await studio.open();
  await train.set('Steps', '8');
  await train.set('Rows to answer', '0');
  await expect(studio.state('Train')).toHaveText('ready, 8 steps');
  await train.start();
  await expect(train.state).toHaveText('done, 8 steps', { timeout: 120_000 });
  await studio.goTo('Recipe');
  const measured = /; its 8 steps take about \d+ s at the [\d,.]+ tokens per second of the last run here\.$/;
  await expect(recipe.verdict).toHaveText(measured);
  await page.reload();
  await expect(recipe.verdict).toHaveText(measured);
});
