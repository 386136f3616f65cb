/** Two short runs of the demo: compared, one opened and asked, its adapter packed, renamed, deleted. */
import { expect, test } from '@playwright/test';
import { unzipSync } from 'fflate';
import { readSafetensorsHeader } from './files/files.ts';
import { ShortRun } from './pages/short-run.ts';
import { StudioPage } from './pages/studio.ts';

const STEPS = 12;

test('compares two runs, opens the first, asks and packs its adapter, renames and deletes', async ({ page }) => {
  const studio = new StudioPage(page);
  const { runs, train, chat } = studio;
  await studio.open();
  const run = new ShortRun(studio, STEPS);
  await run.begin();
  await expect(page).toHaveTitle(new RegExp(`step \\d+ of ${STEPS}.* · Loratory`));
  await expect(train.state).toHaveText(`done, ${STEPS} steps`, { timeout: 90_000 });
  await expect(page).toHaveTitle('Loratory');
  await studio.goTo('Recipe');
  const rank = await studio.recipe.field('Rank').inputValue();
  await studio.recipe.field('Rank').fill('2');
  await studio.goTo('Train');
  await train.start();
  await expect(train.state).toHaveText(`done, ${STEPS} steps`, { timeout: 90_000 });

  await studio.goTo('Runs');
  await expect(runs.rows).toHaveCount(2);
  await runs.compare(runs.rows.nth(0));
  await runs.compare(runs.rows.nth(1));
  await expect(runs.comparison.training).toHaveAttribute('data-curves', '2');
  await expect(runs.comparison.validation).toHaveAttribute('data-curves', '2');
  await expect(runs.comparison.table.getByRole('row', { name: 'Rank' })).toHaveText(`Rank2${rank}`);
  await expect(runs.comparison.table.getByRole('row', { name: 'Steps done' })).toHaveText(`Steps done${STEPS}${STEPS}`);

  const first = runs.row(`rank ${rank}`);
  await runs.reopen(first);
  await expect(train.state).toHaveText(`done, ${STEPS} steps`);
  await expect.poll(() => train.points()).toBe(STEPS);
  await studio.goTo('Chat');
  await chat.ask('We need 7 chairs in Rome on Friday.');
  expect(await chat.answer('Tuned')).not.toBe('');

  await studio.goTo('Export');
  await studio.export.make.click();
  const entries = unzipSync(await studio.export.download('demo-lora.zip'));
  expect(Object.keys(entries).sort()).toEqual([
    'demo-lora/README.md',
    'demo-lora/adapter_config.json',
    'demo-lora/adapter_model.safetensors',
  ]);
  const text = (name: string): string => new TextDecoder().decode(entries[`demo-lora/${name}`]);
  expect(JSON.parse(text('adapter_config.json'))).toMatchObject({ peft_type: 'LORA', r: Number(rank) });
  expect(text('README.md')).toContain(`| Steps | ${STEPS} |`);
  const { header } = readSafetensorsHeader(Buffer.from(entries['demo-lora/adapter_model.safetensors']));
  expect(Object.values(header).some(({ shape }) => shape?.[0] === Number(rank))).toBe(true);

  await studio.goTo('Runs');
  await runs.rename(first, { name: 'The wide one', note: 'Kept for the table.' });
  await expect(runs.row('The wide one')).toContainText('Kept for the table.');
  await runs.remove(runs.row('The wide one'));
  await expect(runs.rows).toHaveCount(1);
  await expect(runs.rows).not.toContainText('The wide one');
});
