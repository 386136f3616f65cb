/** Two tabs of one browser: one works, the other sees its run and may not touch it, and takes over when the first is closed. */
import { expect, test } from '@playwright/test';
import { trainRows } from './files/demo.ts';
import { StudioPage } from './pages/studio.ts';

const STEPS = 400;

test('a second tab shows the run as it goes on, touches nothing, and takes over when the first is closed', async ({ page, context }) => {
  const first = new StudioPage(page);
  await first.open();
  await expect(first.otherTab).toHaveCount(0);
  await first.train.set('Steps', String(STEPS));
  await first.train.set('Rows to answer', '2');
  await expect(first.state('Train')).toHaveText(`ready, ${STEPS} steps`);
  await first.train.start();
  await expect.poll(() => first.train.points(), { timeout: 90_000 }).toBeGreaterThan(1);

  const second = new StudioPage(await context.newPage());
  await second.page.goto('/');
  await expect(second.otherTab).toHaveText('Another tab is at work: this one shows its run as it goes on.');
  await expect(second.state('Model')).toContainText('demo, ');
  await expect(second.train.answersLine).toContainText('0 of 2 by the base');
  await expect(second.train.state).toContainText(new RegExp(`step \\d+ of ${STEPS}`));
  const seen = await second.train.points();
  expect(seen).toBeGreaterThan(1);
  await expect.poll(() => second.train.points(), { timeout: 60_000 }).toBeGreaterThan(seen);

  for (const control of [second.train.button('Pause'), second.train.button('Stop')]) {
    await expect(control).toBeDisabled();
  }
  await second.goTo('Recipe');
  await expect(second.recipe.field('Steps')).toHaveValue(String(STEPS));
  await expect(second.recipe.field('Steps')).toBeDisabled();
  await second.goTo('Model');
  await expect(second.model.name).toHaveText('demo');
  await expect(second.train.button('Open the demo model')).toBeDisabled();
  await second.goTo('Data');
  await expect(second.data.table).toContainText(trainRows[0].message.slice(0, 20));
  await second.goTo('Train');

  // The first goes on while it is not in front, and what is done there shows here.
  await first.train.button('Pause').click();
  await expect(second.train.state).toContainText('paused at step', { timeout: 60_000 });
  const paused = await first.train.step();
  expect(await second.train.step()).toBe(paused);
  expect(await second.train.points()).toBe(await first.train.points());
  await first.train.button('Resume').click();
  await expect.poll(() => second.train.step(), { timeout: 60_000 }).toBeGreaterThan(paused);

  await page.close();
  await expect(second.otherTab).toContainText('The tab that was at work was closed while its run was under way.');
  await second.takeOver.click();
  await expect(second.otherTab).toHaveCount(0);
  await expect(second.state('Model')).toContainText('demo, ');
  // It works: a run begins here.
  await expect(second.state('Train')).toHaveText(`ready, ${STEPS} steps`);
  await second.train.start();
  await expect.poll(() => second.train.points(), { timeout: 90_000 }).toBeGreaterThan(1);
});

test('a second tab goes on by itself when the first is closed with no run under way', async ({ page, context }) => {
  const first = new StudioPage(page);
  await first.open();
  const second = new StudioPage(await context.newPage());
  await second.page.goto('/');
  await expect(second.otherTab).toContainText('Another tab is at work');
  await expect(second.state('Train')).toContainText('ready');
  await expect(second.train.button('Train the demo')).toBeDisabled();
  await second.goTo('Recipe');

  // What is typed in the one shows in the other.
  await first.train.set('Rank', '4');
  await expect(second.recipe.field('Rank')).toHaveValue('4');
  await page.close();
  await expect(second.otherTab).toHaveCount(0);
  await expect(second.recipe.field('Rank')).toBeEnabled();
  await expect(second.recipe.field('Rank')).toHaveValue('4');
  await second.goTo('Train');
  await expect(second.train.button('Train the demo')).toBeEnabled();
});
