import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { type Finished, runLoratory } from '#cli/testing/run-loratory.ts';
import { readPeftAdapter } from '#export/peft-adapter.ts';

const work = mkdtempSync(join(tmpdir(), 'loratory-finetune-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

// Every step sees every row, in one order, at one rate and without dropout: a run's step depends on its adapter and optimizer alone.
const EVERY_ROW = ['--train_sampling_strategy', 'sequential', '--per_device_train_batch_size', '8', '--lora_dropout', '0'];
const BASE = ['finetune', '-m', 'tiny-llama', '--data_files', 'rows.json', '--text_field', 'input', '--strategy', 'line-by-line'];
const FLAGS = [...BASE, ...EVERY_ROW, '--learning_rate', '1e-2', '--logging_steps', '1'];

interface State {
  global_step: number;
  max_steps: number;
  log_history: { step: number; loss?: number; eval_loss?: number }[];
}

function expectCode(finished: Finished, code: number): void {
  if (finished.code !== code) console.error(finished.stderr);
  expect(finished.code).toBe(code);
}

const readState = (out: string) => JSON.parse(readFileSync(join(out, 'trainer_state.json'), 'utf8')) as State;

describe('loratory finetune', () => {
  it('goes on from an adapter: its settings hold, and the loss is the one at which it was left', async () => {
    const [whole, part, further] = ['whole', 'part', 'further'].map((name) => join(work, name));
    const settings = ['--lora_r', '6', '--lora_alpha', '12', '--target_modules', 'q_proj,down_proj'];
    const first = await runLoratory([...FLAGS, ...settings, '--max_steps', '4', '-o', part]);
    expectCode(first, 0);
    const second = await runLoratory([...FLAGS, ...settings, '--max_steps', '5', '-o', whole]);
    expectCode(second, 0);
    const third = await runLoratory([...FLAGS, '--adapter_path', join(part, 'adapter'), '--max_steps', '2', '-o', further]);
    expectCode(third, 0);
    expect(third.stderr).toContain('going on from an adapter: r 6, alpha 12, dropout 0, target modules down_proj,q_proj');

    const losses = readState(whole).log_history.map(({ loss }) => loss as number);
    expect(losses).toHaveLength(5);
    expect(losses[4]).toBeLessThan(losses[0] - 0.1);
    expect(readState(part).log_history.map(({ loss }) => loss)).toEqual(losses.slice(0, 4));
    // The adapter alone decides the loss before the first update, and f32 survives its file.
    expect(readState(further).log_history[0].loss).toBe(losses[4]);
    const config = JSON.parse(readFileSync(join(further, 'adapter', 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
    expect(config).toMatchObject({ r: 6, lora_alpha: 12, lora_dropout: 0, target_modules: ['down_proj', 'q_proj'] });
  });

  it('measures the loss of other rows at the end', async () => {
    const out = join(work, 'evaluated');
    const finished = await runLoratory([...FLAGS, '--max_steps', '1', '--learning_rate', '0', '--eval_files', 'rows.json', '-o', out]);
    expectCode(finished, 0);
    const [trained, evaluated] = readState(out).log_history;
    // A rate of zero leaves the adapter a no-op, so that the same rows have the same loss.
    expect(evaluated.eval_loss).toBeCloseTo(trained.loss as number, 5);
    expect(JSON.parse(finished.stdout)).toMatchObject({ steps: 1, is_complete: true, eval_loss: evaluated.eval_loss });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('writes what was learnt on %s, and says by its exit code that it is not all', async (signal) => {
    const out = join(work, signal);
    const finished = await runLoratory([...FLAGS, '--max_steps', '1000000', '-o', out], {
      interrupt: { when: /training: 1 of 1000000 steps/, signal },
    });
    expectCode(finished, 130);
    expect(finished.stderr).toContain('stopping after this step');
    const state = readState(out);
    expect(state.global_step).toBeGreaterThan(0);
    expect(state.global_step).toBeLessThan(state.max_steps);
    expect(JSON.parse(finished.stdout)).toMatchObject({ steps: state.global_step, is_complete: false });
    expect(readdirSync(join(out, 'adapter')).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const source = memorySource('adapter_model.safetensors', readFileSync(join(out, 'adapter', 'adapter_model.safetensors')));
    const { modules } = await readPeftAdapter(readFileSync(join(out, 'adapter', 'adapter_config.json'), 'utf8'), source);
    expect(modules).toHaveLength(4);
    expect(modules.every(({ b }) => b.some((value) => value !== 0))).toBe(true);
  });

  it('prints the plan as JSON with --dry_run and leaves nothing behind', async () => {
    const out = join(work, 'dry');
    const finished = await runLoratory([...FLAGS, '--max_steps', '7', '--warmup_steps', '2', '--dry_run', '-o', out]);
    expectCode(finished, 0);
    const plan = JSON.parse(finished.stdout) as { total_bytes: number; bytes: Record<string, number> };
    expect(plan).toMatchObject({ steps: 7, rows_per_step: 8, warmup_steps: 0, sequences: 8, tokens: 112, loss_tokens: 104 });
    expect(Object.values(plan.bytes).reduce((sum, bytes) => sum + bytes, 0)).toBe(plan.total_bytes);
    expect(existsSync(out)).toBe(false);

    const run = await runLoratory([...FLAGS, '--max_steps', '1', '-o', out]);
    expect(JSON.parse(run.stdout)).toMatchObject({ planned_bytes: plan.total_bytes, peak_bytes: plan.total_bytes });
  });

  it('reads its settings from a recipe, flags before them, and prints all of them with --dry_run', async () => {
    const recipe = join(work, 'recipe.yaml');
    const settings = { model: 'tiny-llama', data_files: ['rows.json'], lora_r: 6, max_steps: 9, seed: 3, strategy: 'line-by-line' };
    writeFileSync(recipe, `${JSON.stringify({ ...settings, mapping: { kind: 'text', column: 'input' } })}\n`);
    const finished = await runLoratory(['finetune', '--recipe', recipe, '--max_steps', '4', '--dry_run', '-o', join(work, 'of-a-recipe')]);
    expectCode(finished, 0);
    expect(JSON.parse(finished.stdout)).toMatchObject({ steps: 4, recipe: { ...settings, max_steps: 4, lora_alpha: 16 } });

    writeFileSync(recipe, 'seed: 3\nlora_rank: 8\n');
    const refused = await runLoratory(['finetune', '--recipe', recipe, '--dry_run']);
    expectCode(refused, 1);
    expect(refused.stderr).toContain('recipe.yaml: line 2: lora_rank: an unknown field was found, lora_r was expected');
  });
});
