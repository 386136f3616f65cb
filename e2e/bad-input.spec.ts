/** Each bad input: the page says what was found and where, and what was open before still is. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { trainRows } from './files/demo.ts';
import { lyingGguf, modelOfArchitecture, truncatedModel } from './files/files.ts';
import { StudioPage } from './pages/studio.ts';

let studio: StudioPage;
test.beforeEach(async ({ page }) => {
  studio = new StudioPage(page);
  await studio.open();
});

/** The demo is still open, and can still be trained. */
async function expectDemoKept(): Promise<void> {
  await expect(studio.state('Model')).toContainText('demo, ');
  await expect(studio.state('Data')).toContainText(`${trainRows.length.toLocaleString('en')} rows`);
  await studio.goTo('Train');
  await expect(studio.train.button('Train the demo')).toBeEnabled();
}

test('a truncated safetensors file', async () => {
  await studio.drop(await truncatedModel(test.info().outputPath('cut-llama')));
  await expect(studio.error).toContainText('The file ends too early');
  await expect(studio.error).toContainText(/model\.safetensors.*(100000|100,000)/s);
  await expectDemoKept();
});

test('a GGUF that lies about where its tensor is', async () => {
  await studio.drop(await lyingGguf(test.info().outputPath('lies.gguf')));
  await expect(studio.error).toContainText('lies.gguf');
  await expect(studio.error).toContainText('token_embd.weight');
  await expectDemoKept();
});

test('an architecture that is not known', async () => {
  await studio.drop(await modelOfArchitecture(test.info().outputPath('a-mamba'), 'mamba', 'MambaForCausalLM'));
  await expect(studio.error).toContainText('This architecture cannot be trained yet');
  await expect(studio.error).toContainText('a-mamba/config.json');
  await expect(studio.error).toContainText('model_type is "mamba"');
  await expectDemoKept();
});

test('a dataset without rows', async () => {
  const path = test.info().outputPath('empty.json');
  await writeFile(path, '[]');
  await studio.drop(path);
  await expect(studio.error).toContainText('There are no rows to train on');
  await expect(studio.error).toContainText('empty.json');
  await expect(studio.data.preview).toContainText(trainRows[0].message);
  await expectDemoKept();
});

test('a dataset with a broken row', async () => {
  const path = test.info().outputPath('broken.jsonl');
  await writeFile(path, '{"input": "a", "output": "b"}\n{"input": "a", "output": \n');
  await studio.drop(path);
  await expect(studio.error).toContainText('The rows cannot be read');
  await expect(studio.error).toContainText(/broken\.jsonl: row 2: not JSON at line 2/);
  await expectDemoKept();
});

test('a template that names a missing column, and one that is not closed', async () => {
  await studio.goTo('Data');
  const { template, preview } = studio.data;
  await template.fill('{message}\n{tickett}');
  await expect(studio.error).toContainText("train.jsonl has no column 'tickett'; its columns are 'message', 'ticket'");
  await expect(preview).toContainText(trainRows[0].message);
  await template.fill('{message}\n{ticket');
  await expect(studio.error).toContainText("character 11: no '}' closes this '{'");
  await studio.goTo('Train');
  await expect(studio.train.button('Train the demo')).toBeDisabled();
  await studio.goTo('Data');
  await template.fill('{message}\n{ticket}');
  await expect(studio.error).toHaveCount(0);
  await expectDemoKept();
});

test('a file that is neither model nor rows', async () => {
  const path = test.info().outputPath('notes.pdf');
  await writeFile(path, '%PDF-1.7\n');
  await studio.drop(path);
  await expect(studio.error).toContainText('notes.pdf was not opened');
  await expect(studio.error).toContainText('It looks like a PDF.');
  await expectDemoKept();
});
