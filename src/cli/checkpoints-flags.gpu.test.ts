import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { MODEL, SETTINGS, type State, checkpointsIn, expectSameBytes, expectSameEnd } from '#cli/testing/checkpoint-runs.ts';
import { failureOf, resultOf, run, stateIn, workFolder, words, writeRows } from '#cli/testing/checkpoint-runs.ts';
import { errorLine } from '#cli/testing/run-loratory.ts';

const at = workFolder('checkpoints-flags');
const BASE = ['finetune', '-m', MODEL, '--data_files', writeRows(at('rows.json')), ...SETTINGS];
const CONSTANT = words('--lr_scheduler_type constant --warmup_ratio 0');
const RESUME = ['--resume_from_checkpoint', 'true'];

const evaluationsIn = ({ log_history: log }: State) => log.filter(({ eval_loss: loss }) => loss !== undefined);
const ADAPTER = 'adapter_model.safetensors';

describe('steps, limits and strategies', () => {
  it('goes on with a finished run that gets more steps, to the bytes of one that had them from the start', async () => {
    const [short, long] = [at('short'), at('long')];
    await run([...BASE, ...CONSTANT, ...words('--max_steps 20 --save_steps 10'), '-o', short], 0);
    await run([...BASE, ...CONSTANT, ...words('--max_steps 45 --save_steps 10'), '-o', long], 0);
    const further = await run([...BASE, ...CONSTANT, ...words('--max_steps 45 --save_steps 10'), ...RESUME, '-o', short], 0);
    expect(further.stderr).toContain('  max_steps was 20 and is 45 from here on');
    expectSameEnd(short, long, 45, { states: false });
    expect(checkpointsIn(short)).toEqual([10, 20, 30, 40, 45]);
  });

  it('measures rows that are longer than any before, once it goes on', async () => {
    const long = writeRows(at('long.json'), [{ input: 'Two green teapots to Lisbon by Friday, please. '.repeat(9) }]);
    const [out, base] = [at('long-rows'), [...BASE, ...words('--max_seq_len 128 --save_steps 2')]];
    await run([...base, ...words('--max_steps 2'), '-o', out], 0);
    const further = await run([...base, ...words('--max_steps 4 --eval_files'), long, ...RESUME, '-o', out], 0);
    expect(further.stderr).toContain('measured: 1 sequences, 107 tokens with loss');
    expect(resultOf(further).eval_loss).toBeGreaterThan(0);
  });

  it('saves and measures after each epoch, keeps as many checkpoints as it is told, and none with --save_strategy no', async () => {
    const out = at('epochs');
    // 24 rows to train on, 4 a step: 6 steps an epoch.
    const flags = words('--train_split train[:24] --eval_split train[24:] --num_train_epochs 4 --eval_strategy epoch');
    await run([...BASE, ...flags, ...words('--save_strategy epoch --save_total_limit 2'), '-o', out], 0);
    expect(evaluationsIn(stateIn(out)).map(({ step }) => step)).toEqual([6, 12, 18, 24]);
    expect(checkpointsIn(out)).toEqual([18, 24]);
    const none = at('none');
    await run([...BASE, ...flags, ...words('--save_strategy no'), '-o', none], 0);
    expect(readdirSync(none).sort()).toEqual(['adapter', 'trainer_state.json']);
    // Neither what is saved nor what is measured changes a number.
    expectSameBytes(join(out, 'adapter', ADAPTER), join(none, 'adapter', ADAPTER));
  });
});

describe('early stopping and the best at the end', () => {
  // A rate that is far too high makes it worse after a while.
  const RECKLESS = [...BASE, ...CONSTANT, ...words('--learning_rate 0.3 --eval_split 21 --eval_steps 2 --max_steps 400 --save_steps 4')];
  const EARLY = [...RECKLESS, ...words('--early_stopping_patience 2 --load_best_model_at_end true --save_total_limit 1')];
  const out = at('early');
  let result: Record<string, unknown>;
  let stderr: string;
  beforeAll(async () => {
    const ended = await run([...EARLY, '-o', out], 0);
    stderr = ended.stderr;
    result = resultOf(ended);
  });

  it('ends after as many evaluations without a gain, with the adapter of the least eval_loss', () => {
    const state = stateIn(out);
    const evaluations = evaluationsIn(state);
    const least = evaluations.reduce((a, b) => ((b.eval_loss as number) < (a.eval_loss as number) ? b : a));
    expect(state.global_step).toBeLessThan(400);
    expect(state.global_step).toBe(least.step + 4);
    expect(result).toMatchObject({
      steps: state.global_step,
      is_complete: true,
      ended_by: 'early',
      best_step: least.step,
      adapter_step: least.step,
    });
    expect(state).toMatchObject({
      best_global_step: least.step,
      best_metric: least.eval_loss,
      best_model_checkpoint: `checkpoint-${least.step}`,
    });
    expect(stderr).toMatch(new RegExp(`step ${least.step}: eval_loss .* over 21 sequences, the best so far`));
    // The best outlives the limit of one.
    expect(checkpointsIn(out)).toEqual([least.step, state.global_step]);
    expectSameBytes(join(out, 'adapter', ADAPTER), join(out, `checkpoint-${least.step}`, ADAPTER));
    const [best, last] = [least.step, state.global_step].map((step) => readFileSync(join(out, `checkpoint-${step}`, ADAPTER)));
    expect(best.equals(last)).toBe(false);
  });

  it('had ended: going on trains no more, and brings the best along into another folder', async () => {
    const [step, best] = [stateIn(out).global_step, stateIn(out).best_global_step];
    const again = await run([...EARLY, '--resume_from_checkpoint', join(out, `checkpoint-${step}`), '-o', at('again')], 0);
    expect(again.stderr).toContain(`the run had ended early at step ${step}; a greater --early_stopping_patience goes on`);
    expect(resultOf(again)).toMatchObject({ steps: step, ended_by: 'early', adapter_step: best });
    expectSameBytes(at('again', 'adapter', ADAPTER), join(out, 'adapter', ADAPTER));
    expect(checkpointsIn(at('again'))).toEqual([best]);
  });

  it('goes on with more patience, as a run that had it from the start', async () => {
    const patient = words('--early_stopping_patience 4 --save_total_limit none');
    const step = stateIn(out).global_step;
    await run([...EARLY, ...patient, '-o', at('patient')], 0);
    const further = await run([...EARLY, ...patient, '--resume_from_checkpoint', join(out, `checkpoint-${step}`), '-o', at('further')], 0);
    expect(resultOf(further)).toMatchObject({ ended_by: 'early' });
    expect(stateIn(at('further')).global_step).toBeGreaterThan(step);
    expectSameEnd(at('further'), at('patient'), stateIn(at('patient')).global_step, { states: false });
  });

  it('takes the greatest accuracy for the best when that is the metric', async () => {
    const flags = words(
      '--metric_for_best_model eval_mean_token_accuracy --load_best_model_at_end true --max_steps 16 --learning_rate 0.05',
    );
    await run([...RECKLESS, ...flags, '-o', at('accuracy')], 0);
    const state = stateIn(at('accuracy'));
    const accuracies = evaluationsIn(state).map(({ eval_mean_token_accuracy: accuracy }) => accuracy as number);
    expect(state.best_metric).toBe(Math.max(...accuracies));
    expect(new Set(accuracies).size).toBeGreaterThan(1);
    expectSameBytes(at('accuracy', 'adapter', ADAPTER), at('accuracy', `checkpoint-${state.best_global_step}`, ADAPTER));
  });

  it('counts a gain under the threshold as none', async () => {
    const strict = await run([...EARLY, ...words('--early_stopping_threshold 100 --learning_rate 1e-3'), '-o', at('strict')], 0);
    // The first evaluation is never without a gain; the two after it are.
    expect(resultOf(strict)).toMatchObject({ steps: 6, ended_by: 'early' });
  });

  it('does not judge by fewer than 20 rows, and says so', async () => {
    const few = await run([...EARLY, ...words('--eval_split 19 --max_steps 12'), '-o', at('few')], 0);
    expect(few.stderr).toContain('19 rows to measure are too few to judge by (under 20): no early stopping and no best checkpoint');
    expect(resultOf(few)).toMatchObject({ steps: 12, ended_by: 'steps', best_step: null, adapter_step: 12 });
  });
});

describe('which rows are measured', () => {
  const plan = async (flags: string) => {
    const finished = await run([...BASE, ...words(flags), '--dry_run', '-o', at('plan')], 0);
    return { ...(JSON.parse(finished.stdout) as { sequences: number; eval_sequences: number }), stderr: finished.stderr };
  };

  it('takes the splits of the datasets library, and says which rows are on both sides', async () => {
    const apart = await plan('--train_split train[:80%] --eval_split train[80%:]');
    expect(apart).toMatchObject({ sequences: 34, eval_sequences: 8 });
    expect(apart.stderr).not.toContain('trained on, too');
    const olive = await plan('--eval_split train[-10%:]');
    expect(olive).toMatchObject({ sequences: 42, eval_sequences: 4 });
    expect(olive.stderr).toContain('  4 of the rows that are measured are trained on, too: leave them out by --train_split');
  });

  it('draws a share or a number, evenly by a column', async () => {
    const drawn = await plan('--eval_split 0.25 --stratify_by kind --keep_duplicates_together true');
    expect(drawn.sequences + drawn.eval_sequences).toBe(42);
    expect(drawn.stderr).toContain(`split: ${drawn.sequences} rows to train on, ${drawn.eval_sequences} to measure`);
    expect(drawn.stderr).toMatch(/the others: \d+ of 28 held out/);
    expect(await plan('--eval_split 15')).toMatchObject({ sequences: 27, eval_sequences: 15 });
  });

  it.each([
    ['--eval_split train[50:]', /^--eval_split train\[50:\]: no row of 42 was found, at least one was expected$/],
    ['--eval_split 42', /^--eval_split: 42 of 42 rows was found, fewer than all was expected$/],
    ['--eval_split train[:5%](pct1_dropremainder)', /^train\[:5%\]\(pct1_dropremainder\): 42 rows were found, at least 100/],
    ['--eval_split train[:9] --stratify_by kind', /^--stratify_by: kind was found, --eval_split as a share or a number of rows/],
    ['--eval_split 9 --stratify_by sort', /^rows\.json has no column 'sort'; its columns are 'input', 'kind'$/],
    [
      '--eval_strategy steps',
      /^--eval_strategy: steps without them was found, rows to measure, by --eval_split or --eval_files, was expected$/,
    ],
  ])('refuses %s', async (flags, line) => {
    expect((await failureOf([...BASE, ...words(flags), '-o', at('refused')])).message).toMatch(line);
    expect(existsSync(at('refused'))).toBe(false);
  });
});

describe('a place that cannot be written', () => {
  it.runIf(process.platform === 'linux')('is named, where making folders would never end', async () => {
    const finished = await run([...BASE, '-o', '/proc/loratory'], 1);
    expect(errorLine(finished)).toMatch(/^--output_path \/proc\/loratory: .*ENOENT/);
  });
});
