/** The present state of each place, in the few words that stand on the rail. Pure: state in, words out. */
import type { RunState } from '#protocol/trainer.ts';
import type { DatasetStore } from '#studio/stores/dataset.ts';
import type { DeviceState } from '#studio/stores/device.ts';
import type { ModelStore } from '#studio/stores/model.ts';
import type { Place } from '#studio/stores/place.ts';
import { adapterStep, type RunStore } from '#studio/stores/run.ts';
import { interruptedRun, type RunsStore } from '#studio/stores/runs.ts';
import type { ProjectStore } from '#studio/stores/project.ts';
import type { Text } from '#studio/text/en.ts';

export interface RailInput {
  device: DeviceState;
  model: Pick<ModelStore, 'opened' | 'opening'>;
  dataset: Pick<DatasetStore, 'opened' | 'opening' | 'prepared' | 'prepareError' | 'previewError'>;
  project: Pick<ProjectStore, 'mapping' | 'estimate' | 'recipe'>;
  run: Pick<RunStore, 'state' | 'latest' | 'runId'>;
  runs: Pick<RunsStore, 'runs' | 'dismissed'>;
}

/** Weight types of a model in one word or two: the commonest by matrices first. */
export function precisionOf(weightTypes: Readonly<Record<string, number>>): string {
  return Object.entries(weightTypes)
    .sort(([, a], [, b]) => b - a)
    .map(([type]) => type)
    .join(' + ');
}

/** The name of a model without what its precision says again: SmolLM2-135M of SmolLM2-135M.Q4_1.gguf. */
export function shortModelName(name: string): string {
  return name.replace(/\.gguf$/i, '').replace(/[.-](q\d\w*|b?f16|f32)$/i, '');
}

/** How many kinds of things a report found. */
export function findingCount(prepared: DatasetStore['prepared']): number {
  if (prepared === null) return 0;
  const { truncatedRows, mergedRows, leakedRows, skipped } = prepared.report;
  return skipped.length + [truncatedRows, mergedRows, leakedRows].filter((found) => found.count > 0).length;
}

export function runWords({ state, latest }: Pick<RailInput['run'], 'state' | 'latest'>, text: Text): string {
  const { states } = text.train;
  switch (state.kind) {
    case 'idle':
      return states.idle;
    case 'preparing':
      return states.preparing(state.what);
    case 'training':
      return states.training(state.step, state.steps, latest?.lossNats ?? null);
    case 'answering':
      return states.answering(state.step, state.done, state.total);
    case 'paused':
      return pausedWords(state, states);
    case 'evaluating':
      return states.evaluating(state.step, state.done, state.total);
    case 'recovering':
      return states.recovering;
    case 'done':
      return doneWords(state, states);
    case 'failed':
      return states.failed(state.step);
    default:
      return state satisfies never;
  }
}

type States = Text['train']['states'];

function pausedWords({ why, step, steps }: Extract<RunState, { kind: 'paused' }>, states: States): string {
  if (why === 'not-finite') return states.notFinite(step);
  return why === 'not-saved' ? states.notSaved(step) : states.paused(step, steps);
}

function doneWords({ endedBy, step, steps }: Extract<RunState, { kind: 'done' }>, states: States): string {
  if (endedBy === 'early') return states.early(step, steps);
  return endedBy === 'stopped' ? states.stopped(step, steps) : states.done(steps);
}

export function railStates({ device, model, dataset, project, run, runs }: RailInput, text: Text): Record<Place, string> {
  const step = adapterStep(run.state);
  return {
    model: modelWords(device, model, text),
    data: dataWords(dataset, project, text),
    recipe: recipeWords(project, text),
    train: trainWords(project, run, text),
    chat: model.opened === null ? text.chat.noModelState : step === null ? text.chat.baseState : text.chat.bothState(step),
    export: step === null ? text.export.noneState : text.export.state(step),
    runs: keptWords(runs, run, text),
  };
}

function keptWords(runs: RailInput['runs'], run: RailInput['run'], text: Text): string {
  if (runs.runs === null || runs.runs.length === 0) return text.runs.emptyState;
  return text.runs.state(runs.runs.length, interruptedRun({ ...runs, dismissed: null }, run) !== null);
}

function modelWords(device: DeviceState, { opened, opening }: RailInput['model'], text: Text): string {
  if (opening !== null) return text.model.openingState(opening.progress?.done ?? 0, opening.progress?.total ?? 0);
  if (opened !== null)
    return text.model.state(shortModelName(opened.summary.name), opened.summary.parameterCount, precisionOf(opened.summary.weightTypes));
  if (device.kind === 'missing') return device.error.code === 'gpu/device-lost' ? text.device.lost : text.device.missing;
  return text.model.noneState;
}

function dataWords(dataset: RailInput['dataset'], { mapping }: RailInput['project'], text: Text): string {
  const { opened, opening } = dataset;
  if (opening !== null) return text.data.openingState;
  if (opened === null) return text.data.noneState;
  if (mapping === null) return text.data.mappingMissingState(opened.rowCount);
  if (dataset.previewError !== null || dataset.prepareError !== null) return text.data.errorState(opened.rowCount);
  return text.data.state(opened.rowCount, findingCount(dataset.prepared));
}

function recipeWords({ recipe: { values, issues }, estimate }: RailInput['project'], text: Text): string {
  const wrong = issues.filter(({ field }) => !field.startsWith('mapping')).length;
  return wrong > 0 ? text.recipe.wrongState(wrong) : text.recipe.state(String(values.lora_r), estimate?.steps ?? null);
}

function trainWords({ estimate }: RailInput['project'], run: RailInput['run'], text: Text): string {
  if (run.state.kind !== 'idle') return runWords(run, text);
  return estimate === null ? text.train.states.notReady : text.train.states.ready(estimate.steps);
}
