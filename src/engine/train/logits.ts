/** Logits of whole rows, for checks against other programs: every one held in memory, so for short rows alone. */
import { type Gpu, MAP_READ, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { planArena } from '#engine/graph/plan.ts';
import { Arena, Program } from '#engine/graph/program.ts';
import { Recorder } from '#engine/graph/recorder.ts';
import { type Region, region, whole } from '#engine/graph/tensor.ts';
import { attentionShape, modelForward } from '#engine/methods/forward.ts';
import { type LoraLayout, loraPairs } from '#engine/methods/lora.ts';
import { type Model, describeRopeTable } from '#engine/models/model.ts';
import { attention } from '#engine/ops/attention/attention.ts';
import { batchSizeBytes, batchTensors, writeBatch } from '#engine/ops/batch/batch-layout.ts';
import { project } from '#engine/ops/project/project.ts';
import type { Batch } from '#data/batch.ts';
import type { WeightMatrix } from '#engine/ops/weights/weight-matrix.ts';

/**
 * Logits [batch.capacity, vocab] of a packed batch, by the base or with an adapter (`values` in the layout's order).
 * Weights must be resident. Everything it allocates is given back.
 */
export async function computeLogits(
  gpu: Gpu,
  queue: SubmitQueue,
  model: Model,
  batch: Batch,
  adapter: { layout: LoraLayout; values: Float32Array } | null,
): Promise<Float32Array> {
  const owned: OwnedBuffer[] = [];
  const fill = (place: Region, bytes: ArrayBuffer | Float32Array) => {
    const buffer = gpu.createBuffer(place.purpose, place.name, place.sizeBytes, USAGE.storage | USAGE.copyDst);
    place.buffer = buffer.buffer;
    owned.push(buffer);
    gpu.device.queue.writeBuffer(buffer.buffer, 0, bytes as ArrayBuffer);
  };
  const { capacity } = batch;
  const batchRegion = region('batch', 'batch', batchSizeBytes(capacity));
  const tensors = batchTensors(batchRegion, capacity);
  const rope = describeRopeTable(model.config, capacity);
  const adapterRegion = adapter ? region('adapter', 'adapter', adapter.layout.sizeBytes) : null;
  const pairs = adapter && adapterRegion ? loraPairs(adapter.layout, adapterRegion, null, tensors.header) : new Map();
  const r = new Recorder(gpu.limits);
  const shape = attentionShape(model);
  const hidden = model.architecture.record(r, {
    ...modelForward(model, pairs),
    count: capacity,
    tokens: tensors.tokens,
    positions: tensors.positions,
    ropeTable: rope.table,
    attend: (recorder, _layer, q, k, v) => attention(recorder, q, k, v, tensors, shape),
  });
  const head = model.matrices.get(model.architecture.headName(model.config)) as WeightMatrix;
  const logits = r.output(project(r, hidden, head));
  const plan = planArena(r, gpu.limits);
  const arena = new Arena(gpu, [plan], 'logits');
  try {
    return await gpu.checked('logits', async () => {
      fill(rope.table.region as Region, rope.values);
      const bytes = new ArrayBuffer(batchRegion.sizeBytes);
      writeBatch(
        batch,
        {
          tokenCount: batch.tokenCount,
          lossRowCount: 0,
          microBatch: 0,
          dropoutKey: 0,
          inverseLossTokens: 0,
          learningRate: 0,
          firstCorrection: 1,
          secondCorrection: 1,
        },
        bytes,
      );
      fill(batchRegion, bytes);
      if (adapter && adapterRegion) fill(adapterRegion, adapter.values);
      const program = await Program.compile(gpu, plan, arena, 'logits');
      const staging = gpu.createBuffer('readback', 'logits', logits.sizeBytes, USAGE.mapRead | USAGE.copyDst);
      owned.push(staging);
      const { buffer, offset } = program.locate(whole(logits));
      await queue.replay(program, 0, (encoder) => encoder.copyBufferToBuffer(buffer, offset, staging.buffer, 0, logits.sizeBytes));
      await staging.buffer.mapAsync(MAP_READ);
      const padded = new Float32Array(staging.buffer.getMappedRange().slice(0));
      program.destroy();
      return withoutPadding(padded, capacity, model.config.vocabSize);
    });
  } finally {
    arena.destroy();
    for (const buffer of owned) buffer.destroy();
  }
}

function withoutPadding(values: Float32Array, rows: number, columns: number): Float32Array {
  const stride = values.length / rows;
  if (stride === columns) return values;
  const out = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) out.set(values.subarray(row * stride, row * stride + columns), row * columns);
  return out;
}
