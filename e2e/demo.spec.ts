/** The first visit: the demo is trained, asked and downloaded, and what was typed is there after a reload. */
import { expect, test } from '@playwright/test';
import { heldOutRows, layers, recipe } from './files/demo.ts';
import { readSafetensorsHeader } from './files/files.ts';
import { StudioPage } from './pages/studio.ts';

/** q, k, v, o, gate, up and down of each layer. */
const LINEARS = 7;

/** So many that the run is still going on when it is paused, resumed and stopped, on a fast machine too. */
const STEPS = 400;
/** From here on the tuned model answers otherwise than the base, long before it answers well. */
const LEARNT_STEPS = 40;

test('trains the demo with one press, pauses, resumes, stops, chats and downloads the adapter', async ({ page, baseURL }) => {
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  const studio = new StudioPage(page);
  const { train, chat } = studio;
  await studio.open();
  await expect(page.getByText('This is the demo')).toBeVisible();
  await expect(train.answers).toContainText(heldOutRows[0].message);

  await train.set('Steps', String(STEPS));
  await train.set('Warmup ratio', '0.03');
  await train.set('Rows to answer', '4');
  await expect(studio.state('Train')).toHaveText(`ready, ${STEPS} steps`);
  await expect(train.answers.getByRole('row')).toHaveCount(5);
  await expect.poll(() => train.memoryMiB()).toBeGreaterThan(0);
  const planned = await train.memoryMiB();
  await train.start();

  await expect(train.answersLine).toContainText('0 of 4 by the base', { timeout: 60_000 });
  await expect(train.state).toContainText(new RegExp(`step \\d+ of ${STEPS}`), { timeout: 60_000 });
  await expect.poll(() => train.points(), { timeout: 60_000 }).toBeGreaterThan(2);

  // What was planned before the start is what is held at the most, within 2 %.
  expect(Math.abs((await train.peakMiB()) / planned - 1)).toBeLessThan(0.02);

  // Chat works while training goes on, and training goes on after it.
  await studio.goTo('Chat');
  await chat.ask('Please send 12 lamps to Oslo by Monday.');
  expect(await chat.answer('Base')).not.toBe('');
  await studio.goTo('Train');
  const before = await train.points();
  await expect.poll(() => train.points(), { timeout: 60_000 }).toBeGreaterThan(before);

  await train.button('Pause').click();
  await expect(train.state).toContainText(new RegExp(`paused at step \\d+ of ${STEPS}`), { timeout: 60_000 });
  const paused = await train.step();
  await train.button('Resume').click();
  await expect.poll(() => train.step(), { timeout: 120_000 }).toBeGreaterThan(Math.max(paused, LEARNT_STEPS));
  await train.button('Stop').click();
  await expect(train.state).toContainText(new RegExp(`stopped at step \\d+ of ${STEPS}`), { timeout: 90_000 });
  await expect(train.answersLine).toContainText(/0 of 4, then \d of 4/);
  expect(await train.points()).toBe(await train.step());

  await studio.goTo('Chat');
  await chat.ask('We need 7 chairs in Rome on Friday.');
  const [base, tuned] = [await chat.answer('Base'), await chat.answer('Tuned')];
  expect(base).not.toBe('');
  expect(tuned).not.toBe('');
  expect(tuned).not.toBe(base);

  await studio.goTo('Export');
  await studio.export.make.click();
  const config = JSON.parse((await studio.export.download('adapter_config.json')).toString('utf8')) as Record<string, unknown>;
  expect(config).toMatchObject({ peft_type: 'LORA', r: recipe.lora_r, lora_alpha: recipe.lora_alpha, task_type: 'CAUSAL_LM' });
  const { header, dataBytes } = readSafetensorsHeader(await studio.export.download('adapter_model.safetensors'));
  const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
  expect(tensors.length).toBe(layers * LINEARS * 2);
  expect(
    Math.max(
      ...tensors.map(
        ([
          ,
          {
            data_offsets: [, end],
          },
        ]) => end,
      ),
    ),
  ).toBe(dataBytes);
  const [name, tensor] = tensors.find(([each]) => each.includes('layers.0.self_attn.q_proj.lora_A')) ?? ['', { shape: [] }];
  expect(name).toBe('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight');
  expect(tensor.shape[0]).toBe(recipe.lora_r);

  expect(requests.filter((url) => !url.startsWith(baseURL ?? 'none') && !url.startsWith('blob:'))).toEqual([]);
});

test('keeps what was typed over a reload', async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open();
  await studio.train.set('Learning rate', '2e-4');
  await studio.train.set('Rank', 'many');
  await expect(page.getByText('A setting needs mending: rank.')).toBeVisible();
  await expect(studio.train.button('Train the demo')).toBeDisabled();
  await expect(studio.state('Recipe')).toHaveText('1 setting to mend');
  await studio.goTo('Recipe');
  await expect(page.getByText('Expected: a whole number from 1 to 1024.')).toBeVisible();
  await studio.goTo('Data');
  await studio.data.template.fill('Order: {message}\n{ticket}');
  await expect(studio.data.preview).toContainText('Order:');
  await studio.goTo('Chat');
  await studio.chat.message.fill('Two lamps to Porto, please.');

  await page.reload();
  await expect(studio.chat.message).toHaveValue('Two lamps to Porto, please.');
  await studio.goTo('Data');
  await expect(studio.data.template).toHaveValue('Order: {message}\n{ticket}');
  await expect(studio.data.preview).toContainText('Order:');
  await studio.goTo('Recipe');
  await expect(studio.recipe.field('Learning rate')).toHaveValue('0.0002');
  await expect(studio.recipe.field('Rank')).toHaveValue('many');

  await studio.recipe.reset.click();
  await expect(studio.recipe.field('Rank')).toHaveValue(String(recipe.lora_r));
  await expect(studio.recipe.field('Learning rate')).toHaveValue(String(recipe.learning_rate));
});
