/** What a session says of models, plans and answers, in the protocol's plain words. */
import type { Sequence } from '#data/batch.ts';
import { addBytes, totalBytes } from '#engine/gpu/ledger.ts';
import type { AnswerReport, ModelSummary, PackedRows, PlanSummary } from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { RunParts } from '#run/active-run.ts';
import type { Answered, AnsweringPlan } from '#run/answering.ts';
import type { RunRows } from '#run/archive.ts';
import type { OpenModel } from '#run/device-host.ts';
import type { RunPlan } from '#run/lora-run.ts';

export function summaryOf({ name, key, model }: OpenModel): ModelSummary {
  const weightTypes: Record<string, number> = {};
  for (const { type } of model.matrices.values()) weightTypes[type] = (weightTypes[type] ?? 0) + 1;
  const { config } = model;
  return {
    name,
    key,
    architecture: config.type,
    parameterCount: model.parameterCount,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    vocabSize: config.vocabSize,
    maxPositions: config.maxPositions,
    weightTypes,
    weightBytes: model.weightBytes,
    linearNames: [...model.architecture.linearNames],
  };
}

export function summaryOfPlan(plan: RunPlan, answering: AnsweringPlan | null): PlanSummary {
  const { training } = plan;
  // The base's generator is gone before the tuned one is made; both are of a size but for the adapter.
  const bytes = answering ? addBytes(training.bytes, answering.tuned.bytes) : training.bytes;
  return {
    bytes,
    totalBytes: totalBytes(bytes),
    steps: plan.steps.totalSteps,
    capacities: [...training.options.capacities],
    trainableParameters: plan.layout.parameterCount,
    dispatches: (training.train.at(-1)?.dispatches ?? 0) + training.update.dispatches.length,
  };
}

export function reportOf(step: number, answers: Answered[]): AnswerReport {
  const count = (isExact: (answer: Answered) => boolean) => answers.filter(isExact).length;
  return { step, total: answers.length, baseExact: count((a) => a.isBaseExact), tunedExact: count((a) => a.isTunedExact), answers };
}

export function unpackRows({ tokens, lossMask, offsets }: PackedRows): Sequence[] {
  return Array.from({ length: offsets.length - 1 }, (_, i) => {
    const [start, end] = [offsets[i], offsets[i + 1]];
    return { tokens: tokens.subarray(start, end), lossMask: lossMask.subarray(start, end) };
  });
}

/** What a run needs besides the model, from rows as they cross the worker's boundary. */
export function partsOf(id: string, recipe: Recipe, { train, validation, heldOut }: RunRows): RunParts {
  return {
    id,
    recipe,
    sequences: unpackRows(train),
    validation: validation && { sequences: unpackRows(validation), rowCount: validation.rowCount },
    heldOut,
  };
}
