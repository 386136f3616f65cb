/** A real checkpoint in the page: SmolLM2-135M-Instruct Q4_1 is dropped and trained on SwiftShader, which takes minutes. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { readSafetensorsHeader, SMOLLM2_ROWS } from './files/files.ts';
import { StudioPage } from './pages/studio.ts';

const STEPS = 20;
const LONGEST = 64;
const RANK = 8;
/** q, k, v, o, gate, up and down of 30 layers, A and B of each. */
const ADAPTER_TENSORS = 7 * 30 * 2;
const TIMEOUT_MS = 600_000;

const path = process.env.LORATORY_SMOLLM2;
if (!path) console.warn('LORATORY_SMOLLM2 is not set to SmolLM2-135M-Instruct.Q4_1.gguf: the page is not tried on it');

test('the real checkpoint is there in CI', () => {
  expect({ ci: process.env.CI === 'true', path: path ?? '' }).not.toEqual({ ci: true, path: '' });
});

/** Five rows of more than 64 tokens: the fixture's, two in each. So the first five steps and the last five see the same rows. */
async function writeLongRows(file: string): Promise<string> {
  const lines = (await readFile(SMOLLM2_ROWS, 'utf8')).trimEnd().split('\n');
  const texts = lines.map((line) => (JSON.parse(line) as { text: string }).text);
  const pairs = texts.flatMap((text, i) => (i % 2 === 0 ? [{ text: `${text} ${texts[i + 1]}` }] : []));
  await writeFile(file, pairs.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

for (const checkpoint of path ? [path] : []) {
  test(`brings the loss of SmolLM2-135M-Instruct Q4_1 down in ${STEPS} LoRA steps of ${LONGEST} tokens`, async ({ page }) => {
    test.setTimeout(TIMEOUT_MS);
    const studio = new StudioPage(page);
    const { train } = studio;
    await studio.open();
    await studio.drop(checkpoint);
    await expect(studio.state('Model')).toContainText(/^SmolLM2-135M-Instruct, 13\dM, q4_1/, { timeout: 120_000 });
    await studio.drop(await writeLongRows(test.info().outputPath('long-rows.jsonl')));
    await expect(studio.state('Data')).toContainText('5 rows');

    await studio.goTo('Recipe');
    // The demo's rate is six times as high, and is the demo's alone.
    await expect(studio.recipe.field('Learning rate')).toHaveValue('0.0005');
    await studio.goTo('Train');
    await train.set('Rank', String(RANK));
    await train.set('Alpha', String(2 * RANK));
    await train.set('Learning rate', '1e-3');
    await train.set('Steps', String(STEPS));
    await train.set('Batch size', '1');
    await train.set('Longest sequence', String(LONGEST));
    await train.set('Held out', '0');
    await expect(studio.state('Train')).toHaveText(`ready, ${STEPS} steps`);
    await studio.goTo('Data');
    await expect(page.getByText('64, 64, 64')).toBeVisible();
    await studio.goTo('Train');
    await expect.poll(() => train.memoryMiB()).toBeGreaterThan(0);
    const planned = await train.memoryMiB();

    const startedAt = performance.now();
    await train.start();
    await expect(train.state).toHaveText(`done, ${STEPS} steps`, { timeout: TIMEOUT_MS });
    const seconds = (performance.now() - startedAt) / 1000;
    const peak = await train.peakMiB();
    const losses = await train.losses();
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
    console.info(
      `${STEPS} LoRA steps of ${LONGEST} tokens on SmolLM2-135M in the page: ${seconds.toFixed(0)} s; ` +
        `loss ${first.toFixed(3)}, then ${last.toFixed(3)} (${losses.join(' ')}); planned ${planned} MiB, peak ${peak} MiB`,
    );

    expect(losses).toHaveLength(STEPS);
    expect(last).toBeLessThan(0.8 * first);
    expect(Math.abs(peak / planned - 1)).toBeLessThan(0.02);

    await studio.goTo('Export');
    await studio.export.make.click();
    const adapter = await studio.export.download('adapter_model.safetensors');
    const { header, dataBytes } = readSafetensorsHeader(adapter);
    const tensors = Object.entries(header).filter(([name]) => name !== '__metadata__');
    expect(tensors).toHaveLength(ADAPTER_TENSORS);
    expect(Math.max(...tensors.map(([, { data_offsets: offsets }]) => offsets[1]))).toBe(dataBytes);
    // B is zero before training.
    const untrained = tensors.filter(
      ([
        name,
        {
          data_offsets: [start, end],
        },
      ]) => {
        const values = adapter.subarray(adapter.length - dataBytes + start, adapter.length - dataBytes + end);
        return name.includes('lora_B') && values.every((byte) => byte === 0);
      },
    );
    expect(untrained).toEqual([]);
  });
}
