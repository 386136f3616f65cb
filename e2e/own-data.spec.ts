/** A user's own model folder and rows, dropped on the window. */
import { expect, test } from '@playwright/test';
import { ROWS, TINY_LLAMA } from './files/files.ts';
import { StudioPage } from './pages/studio.ts';

test('takes a dropped folder and dataset, shows the edited prompt, and trains', async ({ page }) => {
  const studio = new StudioPage(page);
  const { data, train } = studio;
  await studio.open();

  await studio.drop(TINY_LLAMA);
  await expect(studio.model.name).toHaveText('tiny-llama');
  await expect(studio.state('Model')).toContainText('tiny-llama, 35K, f32');
  await studio.drop(ROWS);
  await expect(studio.state('Data')).toContainText('8 rows');
  await expect(page.getByText('guessed from the columns')).toBeVisible();
  await expect(data.template).toHaveValue('{input}\n{output}');
  await expect(data.table).toContainText('bowl x3, 上海');

  // The tokens of the answer, and they alone, carry loss.
  await expect(data.preview).toContainText('Two green teapots to Lisbon by Friday, please.');
  expect((await data.lossTokens.allTextContents()).join('')).toBe('teapot x2, Lisbon, Friday</s>');
  await data.nextRow();
  await expect(data.rowNumber).toHaveText('Row 2 of 8');
  await expect(data.preview).toContainText('One lamp for Monday.');
  await data.previousRow();
  await expect(data.rowNumber).toHaveText('Row 1 of 8');

  await data.template.fill('Message: {input}\nTicket: {output}');
  await expect(data.preview).toContainText('Message: Two green teapots');
  await data.template.fill('Message: {input}\nTicket: {outptu}');
  await expect(studio.error).toContainText("rows.json has no column 'outptu'; its columns are 'input', 'output', 'quantity', 'price'");
  await expect(studio.error).toContainText('character 26');
  await expect(studio.state('Data')).toContainText('needs mending');
  await data.template.fill('Message: {input}\nTicket: {output}');
  await expect(studio.error).toHaveCount(0);

  await studio.goTo('Train');
  await train.set('Steps', '5');
  await train.set('Held out', '2');
  await expect(studio.state('Train')).toHaveText('ready, 5 steps');
  await train.start();
  await expect(train.state).toHaveText('done, 5 steps', { timeout: 120_000 });
  expect(await train.points()).toBe(5);
  await expect(train.answersLine).toContainText(/\d of 2, then \d of 2/);

  // Another model would cost the adapter that was trained: the page asks first, and keeps it when told so.
  await studio.drop(TINY_LLAMA);
  await expect(page.getByText('discards the adapter that was trained for 5 steps')).toBeVisible();
  await page.getByRole('button', { name: 'Keep it' }).click();
  await expect(studio.state('Export')).toHaveText('adapter of step 5');
});
