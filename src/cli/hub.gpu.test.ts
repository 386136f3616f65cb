import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errorLine, FIXTURES, type Finished, runLoratory } from '#cli/testing/run-loratory.ts';
import { LocalHub } from '#storage/testing/local-hub.ts';

const work = mkdtempSync(join(tmpdir(), 'loratory-cli-hub-'));
const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'model.safetensors'];
const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(FIXTURES, 'tiny-llama', name)))]));
const rows = new Uint8Array(readFileSync(join(FIXTURES, '../../formats/fixtures/parquet/plain.parquet')));

let hub: LocalHub;
beforeAll(async () => {
  hub = await LocalHub.start([
    { id: 'tiny/llama', files },
    { id: 'tiny/gated', files, gated: 'auto', readers: ['my-token'] },
    { id: 'tiny/rows', kind: 'dataset', files: {}, parquet: { 'default/train/0000.parquet': rows, 'default/test/0000.parquet': rows } },
  ]);
  hub.tokens.add('my-token');
});
afterAll(async () => {
  await hub.close();
  rmSync(work, { recursive: true, force: true });
});
beforeEach(() => {
  hub.requests.length = 0;
});

const STEP = ['--strategy', 'line-by-line', '--max_steps', '1', '--logging_steps', '1', '--lora_dropout', '0', '--max_seq_len', '64'];
const ROWS = ['--data_files', 'rows.json', '--text_field', 'input', ...STEP];

function run(flags: string[], out: string, env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const places = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: '', LORATORY_HOME: join(work, 'home') };
  return runLoratory(['finetune', ...flags, '-o', join(work, out)], { env: { ...places, ...env } });
}

function resultOf(finished: Finished): Record<string, unknown> {
  if (finished.code !== 0) console.error(finished.stderr);
  expect(finished.code).toBe(0);
  return JSON.parse(finished.stdout) as Record<string, unknown>;
}

describe('loratory finetune with a hub', () => {
  it('trains a model by its id as the same one from a folder, and fetches it once', async () => {
    const fromFolder = resultOf(await run(['-m', 'tiny-llama', ...ROWS], 'folder'));
    expect(hub.requests).toEqual([]);
    const first = await run(['-m', 'tiny/llama', ...ROWS], 'first');
    expect(resultOf(first).loss).toBe(fromFolder.loss);
    expect(first.stderr).toContain('model: tiny/llama, llama');
    const config = JSON.parse(readFileSync(join(work, 'first/adapter/adapter_config.json'), 'utf8')) as Record<string, unknown>;
    expect(config.base_model_name_or_path).toBe('tiny/llama');
    expect(hub.requests.filter(({ server }) => server === 'cdn')).not.toEqual([]);

    hub.requests.length = 0;
    expect(resultOf(await run(['-m', 'tiny/llama@main', ...ROWS], 'second')).loss).toBe(fromFolder.loss);
    expect(hub.requests.filter(({ server }) => server === 'cdn')).toEqual([]);

    expect(readdirSync(join(work, 'home'))).toEqual(['models']);
  });

  it('goes on with what the cache has when the hub does not answer', async () => {
    const other = await LocalHub.start([{ id: 'tiny/llama', files }]);
    const home = join(work, 'offline-home');
    resultOf(await run(['-m', 'tiny/llama', ...ROWS], 'before', { HF_ENDPOINT: other.endpoint, LORATORY_HOME: home }));
    await other.close();
    const finished = await run(['-m', 'tiny/llama', ...ROWS], 'after', { HF_ENDPOINT: other.endpoint, LORATORY_HOME: home });
    expect(resultOf(finished).steps).toBe(1);
    expect(finished.stderr).toMatch(/does not answer; tiny\/llama of commit [0-9a-f]{40} \(.+\) is here/);
  });

  it('wants a token for what is gated, which is in no file', async () => {
    const refused = await run(['-m', 'tiny/gated', ...ROWS], 'refused');
    expect(refused.code).toBe(1);
    expect(errorLine(refused)).toMatch(
      /tiny\/gated\/\S+: 401 GatedRepo: it is gated; its terms must be accepted at http:\/\/127\.0\.0\.1:\d+\/tiny\/gated/,
    );
    expect(existsSync(join(work, 'refused'))).toBe(false);
    const flags = ['-m', 'tiny/gated', ...ROWS, '--save_strategy', 'steps', '--save_steps', '1'];
    const finished = await run([...flags, '--hub_token', 'my-token'], 'gated');
    resultOf(finished);
    const told = [finished.stdout, finished.stderr, ...textsBelow(join(work, 'gated')), ...textsBelow(join(work, 'home'))];
    expect(told.join('\n')).not.toContain('my-token');
    expect(resultOf(await run(flags, 'from-environment', { HF_TOKEN: 'my-token' })).steps).toBe(1);
  });

  it('says that there is neither a file nor such a model', async () => {
    const finished = await run(['-m', 'tiny/none', ...ROWS], 'none');
    expect(errorLine(finished)).toMatch(
      /tiny\/none: 401: there is no such model, or it is private; there is no file or folder tiny\/none either$/,
    );
  });

  it('trains on the rows of a hub dataset by its splits', async () => {
    const flags = ['-m', 'tiny-llama', '-d', 'tiny/rows', '--text_field', 'text', ...STEP];
    const one = await run([...flags, '--train_split', 'train[:2]', '--eval_split', 'train[3:5]'], 'one-split');
    expect(one.stderr).toContain('split: 2 rows to train on, 2 to measure');
    expect(resultOf(one)).toMatchObject({ steps: 1, eval_loss: expect.any(Number) });
    const two = await run([...flags, '--train_split', 'train[:2]', '--eval_split', 'test[3:5]'], 'two-splits');
    expect(resultOf(two)).toMatchObject({ loss: resultOf(one).loss, eval_loss: resultOf(one).eval_loss });
    const state = (out: string) => readFileSync(join(work, out, 'trainer_state.json'), 'utf8');
    expect(state('two-splits')).toBe(state('one-split'));
  });
});

/** Every file below a folder, as far as it is text. */
function textsBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'));
}
