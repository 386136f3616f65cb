import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { runLoratory } from '#cli/testing/run-loratory.ts';

const STEPS = 20;
/** 20 steps take about a minute on two idle cores; kernels that lavapipe compiles for the first time take two more. */
const TIMEOUT_MS = 900_000;

const path = process.env.LORATORY_SMOLLM2;
const out = mkdtempSync(join(tmpdir(), 'loratory-smollm2-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

if (!path) console.warn('LORATORY_SMOLLM2 is not set to SmolLM2-135M-Instruct.Q4_1.gguf: the command line is not tried on it');

test('the real checkpoint is there in CI', () => {
  expect({ ci: process.env.CI === 'true', path: path ?? '' }).not.toEqual({ ci: true, path: '' });
});

// A run takes minutes on SwiftShader; there src/run/smollm2.gpu.test.ts holds the same kernels to transformers.
const checkpoints = path && process.env.LORATORY_ADAPTER !== 'swiftshader' ? [path] : [];
describe.each(checkpoints)('loratory finetune on SmolLM2-135M-Instruct Q4_1', (checkpoint) => {
  it(`brings the loss down in ${STEPS} LoRA steps of 64 tokens, in the bytes that were planned`, { timeout: TIMEOUT_MS }, async () => {
    const flags = ['finetune', '-m', checkpoint, '-d', 'json', '--data_files', 'smollm2-rows.jsonl', '-o', out];
    // Joined rows fill blocks of 64 tokens, one a step, in order: the first five steps and the last five see the same five blocks.
    const rows = ['--text_field', 'text', '--max_seq_len', '64', '--max_samples', '5', '--train_sampling_strategy', 'sequential'];
    const steps = ['--max_steps', String(STEPS), '--per_device_train_batch_size', '1', '--logging_steps', '1'];
    const adapter = ['--lora_r', '8', '--lora_alpha', '16', '--target_modules', 'all-linear', '--learning_rate', '1e-3'];
    const startedAt = performance.now();
    const { stdout, stderr } = await runLoratory([...flags, ...rows, ...steps, ...adapter]);
    const seconds = (performance.now() - startedAt) / 1000;

    expect(stderr).toContain('5 sequences, 320 tokens');
    const result = JSON.parse(stdout) as { steps: number; planned_bytes: number; peak_bytes: number };
    const state = JSON.parse(readFileSync(join(out, 'trainer_state.json'), 'utf8')) as { log_history: { loss: number }[] };
    const losses = state.log_history.map(({ loss }) => loss);
    expect(losses).toHaveLength(STEPS);
    expect(result.steps).toBe(STEPS);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [first, last] = [mean(losses.slice(0, 5)), mean(losses.slice(-5))];
    console.info(
      `20 LoRA steps of 64 tokens on SmolLM2-135M, command line, ${process.env.LORATORY_ADAPTER ?? 'the adapter'}: ` +
        `${seconds.toFixed(0)} s in all; loss ${first.toFixed(3)}, then ${last.toFixed(3)}; ` +
        `planned ${result.planned_bytes} bytes, peak ${result.peak_bytes}`,
    );
    expect(last).toBeLessThan(0.8 * first);
    expect(Math.abs(result.peak_bytes / result.planned_bytes - 1)).toBeLessThan(0.02);
  });
});
