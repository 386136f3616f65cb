import { expect, it } from 'vitest';
import { AppError } from '#base/errors.ts';
import type { RunSummary } from '#protocol/trainer.ts';
import { type RailInput, railStates, shortModelName } from '#studio/shell/rail-states.ts';
import { composeRecipe } from '#studio/stores/recipe.ts';
import { en } from '#studio/text/en.ts';

const some = {} as never;
const recipe = (changed: Record<string, unknown> = {}) =>
  composeRecipe({ base: {}, changed, mapping: null, model: 'tiny', dataFile: 'rows.json' });
const nothing: RailInput = {
  device: { kind: 'asking' },
  model: { opened: null, opening: null },
  dataset: { opened: null, opening: null, prepared: null, prepareError: null, previewError: null },
  project: { mapping: null, estimate: null, recipe: recipe() },
  run: { state: { kind: 'idle' }, latest: null, runId: null },
  runs: { runs: null, dismissed: null },
};
const summary = { name: 'SmolLM2-135M-Instruct.Q4_1.gguf', parameterCount: 134_515_008, weightTypes: { q8_0: 1, q4_1: 210 } };
const mapping = { mapping: { kind: 'text' as const, column: 'text' }, loss: 'all' as const };
const report = {
  truncatedRows: { count: 2, rows: [] },
  mergedRows: { count: 0, rows: [] },
  leakedRows: { count: 0, rows: [] },
  skipped: [{ why: 'empty', count: 1, rows: [] }],
};

it('says what is missing before anything is open', () => {
  expect(railStates(nothing, en)).toEqual({
    model: 'nothing open',
    data: 'nothing open',
    recipe: 'LoRA r 16',
    train: 'not ready',
    chat: 'no model',
    export: 'nothing trained yet',
    runs: 'none kept',
  });
  expect(railStates({ ...nothing, device: { kind: 'missing', error: new AppError('gpu/no-webgpu', '') } }, en).model).toBe('No WebGPU');
});

it('tells model, rows and recipe once they are open', () => {
  const open: RailInput = {
    ...nothing,
    model: { opened: { summary } as never, opening: null },
    dataset: { ...nothing.dataset, opened: { rowCount: 1204 } as never, prepared: { report } as never },
    project: { mapping, estimate: { steps: 120 } as never, recipe: recipe({ lora_r: 8 }) },
  };
  expect(railStates(open, en)).toMatchObject({
    model: 'SmolLM2-135M-Instruct, 135M, q4_1 + q8_0',
    data: '1,204 rows, 2 findings',
    recipe: 'LoRA r 8, 120 steps',
    train: 'ready, 120 steps',
    chat: 'base alone',
  });
  expect(railStates({ ...open, project: { mapping: null, estimate: null, recipe: recipe() } }, en).data).toBe('1,204 rows, mapping needed');
  const wrong = { ...open.project, recipe: recipe({ lora_r: 'many', seed: -1 }) };
  expect(railStates({ ...open, project: wrong }, en).recipe).toBe('2 settings to mend');
});

it('follows a run', () => {
  const of = (state: RailInput['run']['state']) =>
    railStates({ ...nothing, run: { state, latest: { lossNats: 1.8342 } as never, runId: 'now' } }, en);
  expect(of({ kind: 'training', step: 48, steps: 120, secondsLeft: null })).toMatchObject({
    train: 'step 48 of 120, loss 1.834',
    export: 'adapter of step 48',
  });
  expect(of({ kind: 'paused', step: 3, steps: 9, why: 'not-finite' }).train).toBe('paused: the loss of step 3 is not a number');
  expect(of({ kind: 'done', step: 5, steps: 9, endedBy: 'stopped', adapterStep: 5 }).train).toBe('stopped at step 5 of 9');
  expect(of({ kind: 'done', step: 5, steps: 9, endedBy: 'early', adapterStep: 3 })).toMatchObject({
    train: 'ended early at step 5 of 9: no gain on held-out rows',
    export: 'adapter of step 3',
  });
  expect(of({ kind: 'failed', step: 0, error: some, remedies: [] }).export).toBe('nothing trained yet');
});

it('counts what is kept, and says when something was cut off', () => {
  const kept = (state: RunSummary['state'], id = 'a') => ({ id, state }) as RunSummary;
  const of = (...runs: RunSummary[]) => railStates({ ...nothing, runs: { runs, dismissed: null } }, en).runs;
  expect([of(), of(kept('done')), of(kept('done'), kept('running', 'b'))]).toEqual(['none kept', '1 kept', '2 kept, one stopped midway']);
});

it('shortens names by what stands beside them anyway', () => {
  expect(['tiny-llama', 'Llama-3.2-1B-F16.gguf', 'a.Q4_1.gguf', 'phi-2'].map(shortModelName)).toEqual([
    'tiny-llama',
    'Llama-3.2-1B',
    'a',
    'phi-2',
  ]);
});
