/** Records and plans a training step for several capacities; says its bytes before one is allocated. Allocates nothing. */
import type { GpuLimits } from '#engine/gpu/device.ts';
import { type BytesByPurpose, noBytes } from '#engine/gpu/ledger.ts';
import { type Plan, planArena } from '#engine/graph/plan.ts';
import { arenaSizeBytes, uniformSizeBytes } from '#engine/graph/program.ts';
import { Recorder } from '#engine/graph/recorder.ts';
import { type Region, region, regionTensor } from '#engine/graph/tensor.ts';
import { type LoraLayout, type LoraRegions, flatTensor, loraPairs, loraRegions } from '#engine/methods/lora.ts';
import { attentionShape, modelForward } from '#engine/methods/forward.ts';
import { type Model, describeRopeTable } from '#engine/models/model.ts';
import { recordAdamW } from '#engine/ops/adamw/adamw.ts';
import { attention } from '#engine/ops/attention/attention.ts';
import { batchSizeBytes, batchTensors } from '#engine/ops/batch/batch-layout.ts';
import { recordGradientNorm } from '#engine/ops/gradient-norm/gradient-norm.ts';
import { linearCrossEntropy, reduceLoss } from '#engine/ops/linear-cross-entropy/linear-cross-entropy.ts';
import type { WeightMatrix } from '#engine/ops/weights/weight-matrix.ts';

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
}

export interface TrainingOptions {
  /** Tokens of a micro-batch, ascending: a step takes the smallest that holds its rows. */
  capacities: readonly number[];
  /** Of a micro-batch that is only evaluated; those of training when left out. */
  evaluateCapacities?: readonly number[];
  /** Decoder blocks whose activations are computed again in the backward pass instead of being kept. */
  recompute: 'none' | 'every-block';
  optimizer: AdamWOptions;
  /** 0 or less: no clipping. */
  maxGradNorm: number;
  /** Loss rows whose logits are held at a time; chosen by the device's limits when left out. */
  lossChunkRows?: number;
}

/** Words of the statistics that a step leaves: [loss sum, correct, weight sum, -] and [gradient norm, clip factor, finite, -]. */
export const STATISTICS_BYTES = 256 + 16;
export const CLIP_OFFSET = 256;
/** Steps whose statistics may be on their way back at a time. */
export const READBACK_SLOTS = 4;

export interface Recording {
  readonly capacity: number;
  readonly plan: Plan;
  /** Hidden states after the last norm, for tests; only in the arena while nothing reuses them. */
  readonly dispatches: number;
}

export interface TrainingPlan {
  readonly model: Model;
  readonly layout: LoraLayout;
  readonly options: TrainingOptions;
  readonly regions: LoraRegions & { batch: Region; statistics: Region; ropeTable: Region };
  readonly ropeValues: Float32Array;
  readonly train: readonly Recording[];
  /** Forward and loss alone. */
  readonly evaluate: readonly Recording[];
  readonly update: Plan;
  /** Every byte of the run, the weights included. */
  readonly bytes: BytesByPurpose;
}

/** @throws AppError `gpu/limit` naming the tensor that no binding of the device holds. */
export function planTraining(model: Model, layout: LoraLayout, options: TrainingOptions, limits: GpuLimits): TrainingPlan {
  const evaluateCapacities = options.evaluateCapacities ?? options.capacities;
  const largest = Math.max(...options.capacities, ...evaluateCapacities);
  const rope = describeRopeTable(model.config, largest);
  const regions = {
    ...loraRegions(layout),
    batch: region('batch', 'batch', batchSizeBytes(largest)),
    statistics: region('step statistics', 'batch', STATISTICS_BYTES),
    ropeTable: rope.table.region as Region,
  };
  const sums = regionTensor('loss sums', [4], regions.statistics, 0);
  const clip = regionTensor('clip', [4], regions.statistics, CLIP_OFFSET);
  const head = model.matrices.get(model.architecture.headName(model.config)) as WeightMatrix;

  const record = (capacity: number, isTraining: boolean): Recording => {
    const r = new Recorder(limits);
    const batch = batchTensors(regions.batch, capacity);
    const pairs = loraPairs(layout, regions.values, isTraining ? regions.gradients : null, batch.header);
    const shape = attentionShape(model);
    const hidden = model.architecture.record(r, {
      ...modelForward(model, pairs),
      count: capacity,
      tokens: batch.tokens,
      positions: batch.positions,
      ropeTable: rope.table,
      attend: (recorder, _layer, q, k, v) => attention(recorder, q, k, v, batch, shape),
    });
    const { losses, correct } = r.scope('loss', () => linearCrossEntropy(r, hidden, head, batch, { chunkRows: options.lossChunkRows }));
    r.scope('loss', () => reduceLoss(r, losses, correct, batch, sums));
    if (isTraining) r.backward(() => options.recompute === 'every-block');
    const plan = planArena(r, limits);
    return { capacity, plan, dispatches: plan.dispatches.length };
  };

  const train = options.capacities.map((capacity) => record(capacity, true));
  const evaluate = evaluateCapacities.map((capacity) => record(capacity, false));

  const u = new Recorder(limits);
  const header = batchTensors(regions.batch, largest).header;
  const gradients = flatTensor(regions.gradients);
  recordGradientNorm(u, gradients, clip, options.maxGradNorm);
  recordAdamW(u, {
    parameters: flatTensor(regions.values),
    gradients,
    first: flatTensor(regions.first),
    second: flatTensor(regions.second),
    clip,
    header,
    ...options.optimizer,
  });
  const update = planArena(u, limits);

  const bytes = noBytes();
  bytes.weights = model.weightBytes + regions.ropeTable.sizeBytes;
  bytes.adapter = layout.sizeBytes;
  bytes.gradients = layout.sizeBytes;
  bytes.optimizer = 2 * layout.sizeBytes;
  bytes.batch = regions.batch.sizeBytes + regions.statistics.sizeBytes;
  bytes.activations = arenaSizeBytes([...train, ...evaluate].map(({ plan }) => plan)) + arenaSizeBytes([update]);
  bytes.uniforms = [...train, ...evaluate].reduce((sum, { plan }) => sum + uniformSizeBytes(plan), uniformSizeBytes(update));
  bytes.readback = READBACK_SLOTS * STATISTICS_BYTES + layout.sizeBytes;
  return { model, layout, options, regions, ropeValues: rope.values, train, evaluate, update, bytes };
}
