/** Plans generation: a prefill and a decode pass over one KV cache, and the arrays that fill them. Allocates nothing. */
import type { Gpu } from '#engine/gpu/device.ts';
import { type BytesByPurpose, noBytes } from '#engine/gpu/ledger.ts';
import { type Plan, planArena } from '#engine/graph/plan.ts';
import { arenaSizeBytes, uniformSizeBytes } from '#engine/graph/program.ts';
import { Recorder } from '#engine/graph/recorder.ts';
import { type Region, type Tensor, region, regionTensor } from '#engine/graph/tensor.ts';
import { attentionShape, modelForward } from '#engine/methods/forward.ts';
import { type LoraLayout, loraPairs } from '#engine/methods/lora.ts';
import { type Model, describeRopeTable } from '#engine/models/model.ts';
import { argmax } from '#engine/ops/argmax/argmax.ts';
import { attention } from '#engine/ops/attention/attention.ts';
import { NO_ROW } from '#engine/ops/batch/batch-layout.ts';
import { cacheWrite } from '#engine/ops/cache-write/cache-write.ts';
import { gatherRows } from '#engine/ops/gather-rows/gather-rows.ts';
import { project } from '#engine/ops/project/project.ts';
import type { WeightMatrix } from '#engine/ops/weights/weight-matrix.ts';

export interface GeneratorOptions {
  /** Sequences that are generated at a time. */
  slots: number;
  /** Tokens of a sequence, prompt and answer together. */
  slotTokens: number;
  /** Prompt tokens that are read at a time. */
  prefillTokens: number;
}

const ARRAYS = ['tokens', 'positions', 'rangeStart', 'rangeEnd', 'cacheRows', 'lastRows'] as const;
type ArrayName = (typeof ARRAYS)[number];
const arrayBytes = (count: number) => Math.ceil((count * 4) / 256) * 256;

/** A forward pass over `count` tokens of any sequences, and the logits of one token a slot. */
export interface Pass {
  readonly count: number;
  readonly place: Region;
  readonly plan: Plan;
  readonly logits: Tensor;
  readonly best: Tensor;
}

export interface GeneratorPlan {
  readonly model: Model;
  readonly options: GeneratorOptions;
  readonly adapter: { layout: LoraLayout; region: Region } | null;
  readonly passes: { prefill: Pass; decode: Pass };
  readonly cache: readonly Region[];
  readonly ropeTable: Region;
  readonly ropeValues: Float32Array;
  readonly bytes: BytesByPurpose;
}

/** Plans generation by the base (`layout` null) or with an adapter of this layout. Allocates nothing. */
export function planGenerator(gpu: Gpu, model: Model, layout: LoraLayout | null, options: GeneratorOptions): GeneratorPlan {
  const { config } = model;
  const rows = options.slots * options.slotTokens;
  const width = config.kvHeads * config.headSize;
  const rope = describeRopeTable(config, options.slotTokens);
  const adapter = layout ? { layout, region: region('adapter snapshot', 'adapter', layout.sizeBytes) } : null;
  const cacheTensors = Array.from({ length: 2 * config.layers }, (_, i) => {
    const name = `${i % 2 === 0 ? 'keys' : 'values'} of layer ${i >> 1}`;
    return regionTensor(name, [rows, width], region(name, 'kv-cache', rows * width * 4));
  });
  const head = model.matrices.get(model.architecture.headName(config)) as WeightMatrix;

  const record = (count: number): Pass => {
    const place = region(`generation batch of ${count}`, 'batch', (ARRAYS.length - 1) * arrayBytes(count) + arrayBytes(options.slots));
    const array = (name: ArrayName) =>
      regionTensor(name, [name === 'lastRows' ? options.slots : count], place, ARRAYS.indexOf(name) * arrayBytes(count));
    const pairs = adapter ? loraPairs(adapter.layout, adapter.region, null, array('tokens')) : new Map();
    const ranges = { rangeStart: array('rangeStart'), rangeEnd: array('rangeEnd') };
    const cacheRows = array('cacheRows');
    const shape = attentionShape(model);
    const r = new Recorder(gpu.limits);
    const hidden = model.architecture.record(r, {
      ...modelForward(model, pairs),
      count,
      tokens: array('tokens'),
      positions: array('positions'),
      ropeTable: rope.table,
      attend: (recorder, layer, q, k, v) => {
        const keys = cacheTensors[2 * layer];
        const values = cacheTensors[2 * layer + 1];
        cacheWrite(recorder, k, cacheRows, keys);
        cacheWrite(recorder, v, cacheRows, values);
        return attention(recorder, q, keys, values, ranges, shape);
      },
    });
    const logits = r.output(project(r, gatherRows(r, hidden, array('lastRows'), options.slots), head));
    const best = r.output(argmax(r, logits, config.vocabSize));
    return { count, place, plan: planArena(r, gpu.limits), logits, best };
  };

  const passes = { prefill: record(options.prefillTokens), decode: record(options.slots) };
  const bytes = noBytes();
  bytes['kv-cache'] = cacheTensors.reduce((sum, tensor) => sum + tensor.sizeBytes, 0);
  bytes.weights = (rope.table.region as Region).sizeBytes;
  bytes.adapter = layout?.sizeBytes ?? 0;
  bytes.batch = passes.prefill.place.sizeBytes + passes.decode.place.sizeBytes;
  bytes.activations = arenaSizeBytes([passes.prefill.plan, passes.decode.plan]);
  bytes.uniforms = uniformSizeBytes(passes.prefill.plan) + uniformSizeBytes(passes.decode.plan);
  bytes.readback = passes.decode.logits.sizeBytes;
  return {
    model,
    options,
    adapter,
    passes,
    cache: cacheTensors.map((tensor) => tensor.region as Region),
    ropeTable: rope.table.region as Region,
    ropeValues: rope.values,
    bytes,
  };
}

/** The arrays of a pass, filled token by token; padding attends to nothing and is not cached. */
export class PassBatch {
  readonly bytes: ArrayBuffer;
  readonly #arrays: Record<ArrayName, Uint32Array>;
  size = 0;

  constructor(pass: Pass, slots: number) {
    this.bytes = new ArrayBuffer(pass.place.sizeBytes);
    const array = (name: ArrayName, length: number) => new Uint32Array(this.bytes, ARRAYS.indexOf(name) * arrayBytes(pass.count), length);
    this.#arrays = {
      tokens: array('tokens', pass.count),
      positions: array('positions', pass.count),
      rangeStart: array('rangeStart', pass.count),
      rangeEnd: array('rangeEnd', pass.count),
      cacheRows: array('cacheRows', pass.count).fill(NO_ROW),
      lastRows: array('lastRows', slots),
    };
  }

  push(token: number, position: number, firstRow: number, cacheRow: number): void {
    const { tokens, positions, rangeStart, rangeEnd, cacheRows } = this.#arrays;
    const i = this.size++;
    tokens[i] = token;
    positions[i] = position;
    rangeStart[i] = firstRow;
    rangeEnd[i] = cacheRow + 1;
    cacheRows[i] = cacheRow;
  }

  /** The newest token's hidden state becomes row `row` of the logits. */
  markLast(row: number): void {
    this.#arrays.lastRows[row] = this.size - 1;
  }
}
