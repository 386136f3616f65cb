import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkpointName } from '#cli/resume.ts';
import { MODEL, ROWS, SETTINGS, checkpointsIn, expectSameBytes, expectSameEnd } from '#cli/testing/checkpoint-runs.ts';
import { failureOf, resultOf, run, stateIn, workFolder, words, writeRows } from '#cli/testing/checkpoint-runs.ts';
import { errorLine, runLoratory } from '#cli/testing/run-loratory.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { nodeStore } from '#storage/node-store.ts';
import { FaultyStore } from '#storage/testing/faulty-store.ts';

const at = workFolder('checkpoints');
const BASE = ['finetune', '-m', MODEL, '--data_files', writeRows(at('rows.json'))];
const STEPS = 120;
const RUN = [...BASE, ...SETTINGS, '--max_steps', String(STEPS), '--save_steps', '30'];
const RESUME = ['--resume_from_checkpoint', 'true'];

const whole = at('whole');

/** A folder with the whole run's checkpoints up to a step, and nothing else. */
function folderUntil(name: string, step: number): string {
  for (const one of checkpointsIn(whole).filter((kept) => kept <= step)) {
    cpSync(join(whole, checkpointName(one)), at(name, checkpointName(one)), { recursive: true });
  }
  return at(name);
}

const newestWhole = async (out: string) => (await new CheckpointFolder(nodeStore(out), '', checkpointName).latest()).step;

describe('checkpoints of loratory finetune', () => {
  beforeAll(async () => {
    await run([...RUN, '-o', whole], 0);
  });

  it('lie beside the adapter, one for every so many steps', () => {
    expect(readdirSync(whole).sort()).toEqual([
      'adapter',
      'checkpoint-120',
      'checkpoint-30',
      'checkpoint-60',
      'checkpoint-90',
      'trainer_state.json',
    ]);
    const files = ['adapter_config.json', 'adapter_model.safetensors', 'manifest.json', 'optimizer.safetensors', 'trainer_state.json'];
    expect(readdirSync(join(whole, 'checkpoint-60')).sort()).toEqual(files);
  });

  it.each([30, 90])('goes on from step %i to the bytes of the run that never stopped, whatever settings are left out', async (step) => {
    const out = at(`from-${step}`);
    // What no flag says is the checkpoint's.
    const resumed = await run([...BASE, '--resume_from_checkpoint', join(whole, checkpointName(step)), '-o', out], 0);
    expect(resumed.stderr).toContain(`going on from step ${step} of ${STEPS}`);
    expect(resultOf(resumed)).toMatchObject({ steps: STEPS, is_complete: true, ended_by: 'steps' });
    expectSameEnd(out, whole, STEPS);
    expect(checkpointsIn(out)[0]).toBe(step + 30);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('writes a checkpoint on %s, from which the end is the same to the byte', async (signal) => {
    const out = at(signal);
    const stopped = await run([...RUN, '-o', out], 130, { interrupt: { when: /training: 1 of/, signal } });
    const step = stateIn(out).global_step;
    expect(step).toBeLessThan(STEPS);
    expect(checkpointsIn(out).at(-1)).toBe(step);
    expect(stopped.stderr).toContain(`--resume_from_checkpoint true goes on from step ${step}`);
    expect(resultOf(stopped)).toMatchObject({ steps: step, is_complete: false, ended_by: 'stopped' });
    await run([...RUN, ...RESUME, '-o', out], 0);
    expectSameEnd(out, whole, STEPS);
  });

  it('loses nothing to SIGKILL, in the midst of steps or of a checkpoint, time after time', async () => {
    const out = at('killed');
    for (const when of [/training: 1 of/, ...[30, 60, 90, 120].map((step) => join(out, checkpointName(step)))]) {
      const step = await newestWhole(out);
      const killed = await runLoratory([...RUN, ...(step === null ? [] : RESUME), '-o', out], { interrupt: { when, signal: 'SIGKILL' } });
      expect([when, killed.signal]).toEqual([when, 'SIGKILL']);
      if (step !== null) expect(killed.stderr).toContain(`going on from step ${step} of`);
    }
    await run([...RUN, ...RESUME, '-o', out], 0);
    expectSameEnd(out, whole, STEPS);
    // What a torn write left is gone.
    expect(readdirSync(out).sort()).toEqual(readdirSync(whole).sort());
  }, 300_000);

  it('writes what is missing when a kill came after the last step, and trains no more', async () => {
    const out = folderUntil('done', STEPS);
    const resumed = await run([...RUN, ...RESUME, '-o', out], 0);
    expect(resumed.stderr).toContain(`all ${STEPS} steps are done already; a greater --max_steps goes on`);
    expect(resumed.stderr).not.toContain('training: ');
    expectSameEnd(out, whole, STEPS);
  });

  it('names the flipped byte of the newest checkpoint, and takes the one before it', async () => {
    const out = folderUntil('flipped', STEPS);
    const file = join(out, 'checkpoint-120', 'optimizer.safetensors');
    const bytes = readFileSync(file);
    bytes[bytes.length - 9] ^= 4;
    writeFileSync(file, bytes);
    const named = await run([...RUN, '--resume_from_checkpoint', join(out, 'checkpoint-120'), '-o', out], 1);
    const damage = /optimizer\.safetensors: SHA-256 [0-9a-f]{64} was found, SHA-256 [0-9a-f]{64} was expected$/;
    expect(errorLine(named)).toMatch(damage);

    const resumed = await run([...RUN, ...RESUME, '-o', out], 0);
    expect(resumed.stderr).toContain(`${file} is damaged: SHA-256 `);
    expect(resumed.stderr).toMatch(/SHA-256 [0-9a-f]{64} was found, SHA-256 [0-9a-f]{64} was expected; the checkpoint before it is taken/);
    expect(resumed.stderr).toContain('going on from step 90 of 120');
    expectSameEnd(out, whole, STEPS);
  });

  // One checkpoint of 18 KiB fits, told beforehand with what blocks may take; a second does not.
  it.each([
    ['told', 45_000, /checkpoint-60: space for \d+ bytes was expected, \d+ are free/],
    ['not told', 30_000, /checkpoint-60\/\w+\.\w+: space for \d+ bytes was expected, \d+ are free/],
  ])('ends when the disk is full, which was %s, and goes on from the last checkpoint once there is room', async (how, bytes, why) => {
    const out = at(`full-${how}`);
    const fault = { kind: 'full' as const, bytes, isTold: how === 'told' };
    const { code, message } = await failureOf([...RUN, '-o', out], (root) => new FaultyStore(nodeStore(root), fault));
    expect(code).toBe('storage/quota');
    expect(message.startsWith(`step 60: the checkpoint could not be written to ${out}: `)).toBe(true);
    expect(message).toMatch(why);
    expect(message).toMatch(/; checkpoint-30 is kept; once there is room, --resume_from_checkpoint true goes on from it$/);
    expect(checkpointsIn(out)).toEqual([30]);
    // What was learnt until then is written where it fits, and leaves no part where it does not.
    const files = existsSync(join(out, 'adapter')) ? readdirSync(join(out, 'adapter')) : [];
    expect(files).toEqual(how === 'told' ? ['adapter_config.json', 'adapter_model.safetensors'] : []);
    await run([...RUN, ...RESUME, '-o', out], 0);
    expectSameEnd(out, whole, STEPS);
  });

  it('has an adapter in each checkpoint, from which another run starts', async () => {
    const [out, checkpoint] = [at('started'), join(whole, 'checkpoint-60')];
    const flags = [...BASE, ...words('--text_field input --strategy line-by-line --max_steps 1 --learning_rate 0')];
    const started = await run([...flags, '--adapter_path', checkpoint, '-o', out], 0);
    expect(started.stderr).toContain('going on from an adapter: r 4, alpha 16, dropout 0.2, target modules q_proj,v_proj');
    expectSameBytes(join(out, 'adapter', 'adapter_model.safetensors'), join(checkpoint, 'adapter_model.safetensors'));
  });

  it('does not mix the checkpoints of two runs in one folder, and loses neither', async () => {
    const out = folderUntil('mixed', 90);
    const [first, second] = [join(out, 'earlier-1'), join(out, 'earlier-2')];
    const other = [...RUN, ...words('--learning_rate 2e-2 --max_steps 40 --save_total_limit 1')];
    // Back to an earlier step with another rate: what came after it is set aside.
    const back = await run([...other, '--resume_from_checkpoint', join(out, 'checkpoint-30'), '-o', out], 0);
    expect(back.stderr).toContain(
      `${out} has checkpoint-90 of another run (its max_steps is 120, not 40): what was there is in ${first} now`,
    );
    expect([checkpointsIn(first), checkpointsIn(out)]).toEqual([[60, 90], [40]]);
    // Begun anew, all of the run that was there is.
    await run([...other, '--seed', '1', '-o', out], 0);
    expect(readdirSync(second).sort()).toEqual(['adapter', 'checkpoint-40', 'trainer_state.json']);
    expect(checkpointsIn(out)).toEqual([40]);
    // The same run may begin again where it lies.
    await run([...other, '--seed', '1', '-o', out], 0);
    expect(readdirSync(out).sort()).toEqual(['adapter', 'checkpoint-40', 'earlier-1', 'earlier-2', 'trainer_state.json']);
    expectSameBytes(join(first, 'checkpoint-90', 'optimizer.safetensors'), join(whole, 'checkpoint-90', 'optimizer.safetensors'));
  });
});

describe('what a checkpoint is held to', () => {
  const kept = ['--resume_from_checkpoint', join(whole, 'checkpoint-90')];

  function otherModel(): string {
    const folder = at('other-model');
    cpSync(MODEL, folder, { recursive: true });
    const bytes = readFileSync(join(folder, 'model.safetensors'));
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(join(folder, 'model.safetensors'), bytes);
    return folder;
  }

  it.each<[string, () => string[], RegExp]>([
    [
      'another model',
      () => [...kept, '-m', otherModel()],
      /^--model_name_or_path: \S+other-model was found; the checkpoint is of \S+tiny-llama, whose files/,
    ],
    [
      'other rows',
      () => [...kept, '--data_files', writeRows(at('fewer.json'), ROWS.slice(1))],
      /^--data_files: other rows were found than the checkpoint/,
    ],
    ['another split', () => [...kept, '--train_split', 'train[:90%]'], /^--data_files: other rows were found/],
    ['another rank', () => [...kept, '--lora_r', '8'], /^--lora_r: 8 was found, 4, which the checkpoint's adapter has, was expected$/],
    ['another alpha', () => [...kept, '--lora_alpha', '8'], /^--lora_alpha: 8 was found, 16, which the checkpoint's adapter has, /],
    ['other linears', () => [...kept, '--target_modules', 'q_proj'], /^--target_modules: q_proj was found, q_proj,v_proj, which/],
    [
      'fewer steps',
      () => [...kept, '--max_steps', '70'],
      /^--max_steps: 70 steps was found, more than the 90 steps that the checkpoint has was expected$/,
    ],
    [
      'no checkpoint of that step',
      () => ['--resume_from_checkpoint', join(whole, 'checkpoint-7')],
      /checkpoint-7: there is no checkpoint of step 7$/,
    ],
    ['another folder', () => ['--resume_from_checkpoint', whole], /whole was found, true, or a folder named checkpoint-N was expected$/],
    ['an empty output', () => RESUME, /^--resume_from_checkpoint: no whole checkpoint was found in \S+nothing, one was expected; /],
  ])('refuses %s in one line that names the flag', async (_what, flags, line) => {
    const out = at('nothing');
    const { message } = await failureOf([...BASE, ...flags(), '-o', out]);
    expect(message).toMatch(line);
    expect(message).not.toContain('\n');
    expect(existsSync(out)).toBe(false);
  });

  it('says which settings are others from here on, and takes them', async () => {
    const out = at('changed');
    const changed = await run(
      [...BASE, ...kept, ...words('--learning_rate 0 --lora_dropout 0 --target_modules v_proj,q_proj'), '-o', out],
      0,
    );
    expect(changed.stderr).toContain('  learning_rate was 0.01 and is 0 from here on\n');
    expect(changed.stderr).toContain('  lora_dropout was 0.2 and is 0 from here on\n');
    expect(changed.stderr.match(/from here on/g)).toHaveLength(2);
    expectSameBytes(join(out, 'adapter', 'adapter_model.safetensors'), join(whole, 'checkpoint-90', 'adapter_model.safetensors'));
  });
});
