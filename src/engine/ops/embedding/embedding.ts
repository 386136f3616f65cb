/** Token ids to rows of a frozen table. Knows no model. */
import { invariant } from '#base/errors.ts';
import type { WeightType } from '#formats/weights.ts';
import { type Kernel, ceilDivide, defineKernel, linearGrid } from '#engine/gpu/kernel.ts';
import type { Recorder } from '#engine/graph/recorder.ts';
import { type Tensor, rowsOf, shapeText } from '#engine/graph/tensor.ts';
import source from '#engine/ops/embedding/embedding.wgsl?raw';
import { WEIGHT_SOURCES, type WeightMatrix, weightBindings } from '#engine/ops/weights/weight-matrix.ts';

const kernels = new Map<WeightType, Kernel>();

function kernelOf(type: WeightType): Kernel {
  let kernel = kernels.get(type);
  if (!kernel) {
    kernel = defineKernel({
      name: `embedding-${type}`,
      include: [WEIGHT_SOURCES[type]],
      source,
      writes: ['out'],
      grid: ({ rows = 0, width4 = 0 }) => linearGrid(ceilDivide(rows * width4, 64)),
    });
    kernels.set(type, kernel);
  }
  return kernel;
}

/**
 * out [count, hidden] f32 = table[tokens[i]]; tokens u32 [at least count]; table [vocabulary, hidden] of any weight type.
 * Ids are checked where they are made; one past the vocabulary gives a row of zeros. The table is frozen: there is no gradient.
 * @throws AppError `internal` when there are fewer than `count` tokens.
 */
export function embedding(r: Recorder, tokens: Tensor, table: WeightMatrix, count: number): Tensor {
  invariant(tokens.shape.length === 1 && tokens.sizeBytes >= count * 4, `embedding: ${count} of tokens ${shapeText(tokens.shape)}`);
  const out = r.tensor('hidden', [count, table.columns]);
  for (const [start, end] of r.rowBlocks(count, table.columns * 4)) {
    for (const shard of table.shards) {
      r.run(
        kernelOf(table.type),
        { tokens, out: rowsOf(out, start, end), ...weightBindings(table, shard) },
        {
          rows: end - start,
          width4: table.columns / 4,
          rowStart: start,
          shardStart: shard.start,
          shardEnd: shard.end,
          vocabulary: table.rows,
        },
      );
    }
  }
  return out;
}
