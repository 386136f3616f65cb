/** Frozen matrices as kernels read them: planes of values and scales, cut into shards that fit a binding. Reads no files. */
import { AppError, invariant } from '#base/errors.ts';
import type { WeightType } from '#formats/weights.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import { type Region, type Tensor, region, regionTensor } from '#engine/graph/tensor.ts';
import bf16 from '#engine/ops/weights/bf16.wgsl?raw';
import f16 from '#engine/ops/weights/f16.wgsl?raw';
import f32 from '#engine/ops/weights/f32.wgsl?raw';
import q4_0 from '#engine/ops/weights/q4_0.wgsl?raw';
import q4_1 from '#engine/ops/weights/q4_1.wgsl?raw';
import q8_0 from '#engine/ops/weights/q8_0.wgsl?raw';

/** WGSL that declares the planes at bindings 6 and 7 and defines `weight4(i)`. */
export const WEIGHT_SOURCES: Record<WeightType, string> = { f32, f16, bf16, q4_0, q4_1, q8_0 };

/** Bits of a value plane and bytes of a scale plane a block of 32 values. */
const PLANES: Record<WeightType, { valueBits: number; scaleBytes: number }> = {
  f32: { valueBits: 32, scaleBytes: 0 },
  f16: { valueBits: 16, scaleBytes: 0 },
  bf16: { valueBits: 16, scaleBytes: 0 },
  q4_0: { valueBits: 4, scaleBytes: 2 },
  q4_1: { valueBits: 4, scaleBytes: 4 },
  q8_0: { valueBits: 8, scaleBytes: 2 },
};

/** Rows `[start, end)` of a matrix in buffers of their own. */
export interface WeightShard {
  readonly start: number;
  readonly end: number;
  readonly values: Tensor;
  readonly scales: Tensor | null;
}

/** A frozen matrix `[rows, columns]`; for a linear, rows are output features. */
export interface WeightMatrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly type: WeightType;
  readonly shards: readonly WeightShard[];
}

/** Bytes of the two planes of `rows` rows. */
export function planeBytes(type: WeightType, rows: number, columns: number): { values: number; scales: number } {
  const { valueBits, scaleBytes } = PLANES[type];
  return { values: (rows * columns * valueBits) / 8, scales: (rows * columns * scaleBytes) / 32 };
}

export function isQuantised(type: WeightType): boolean {
  return PLANES[type].scaleBytes > 0;
}

/** The rows of a shard are whole tiles of a product and whole words of every plane. */
const SHARD_ROWS = 64;

/**
 * Describes a matrix and the regions it will need; allocates nothing.
 * @throws AppError `model/unsupported` when a row is not whole vectors of four (or blocks of 32), `gpu/limit` when 64 rows fit no binding.
 */
export function describeWeight(name: string, type: WeightType, rows: number, columns: number, limits: GpuLimits): WeightMatrix {
  const unit = isQuantised(type) ? 32 : 4;
  if (columns % unit !== 0) {
    throw new AppError(
      'model/unsupported',
      `${name}: rows of ${columns} values were found, a multiple of ${unit} was expected for ${type}`,
      {
        tensor: name,
        found: columns,
        expected: unit,
      },
    );
  }
  const largest = Math.min(limits.maxBindingBytes, limits.maxBufferBytes);
  const bytesPerRow = planeBytes(type, SHARD_ROWS, columns).values / SHARD_ROWS;
  let shardRows = rows;
  if (rows * bytesPerRow > largest) {
    shardRows = Math.floor(largest / bytesPerRow / SHARD_ROWS) * SHARD_ROWS;
    if (shardRows === 0) {
      throw new AppError(
        'gpu/limit',
        `${name}: ${SHARD_ROWS} rows of ${bytesPerRow} bytes need one binding; this device binds ${largest} bytes`,
        {
          tensor: name,
          found: SHARD_ROWS * bytesPerRow,
          expected: largest,
        },
      );
    }
  }
  const shards: WeightShard[] = [];
  for (let start = 0; start < rows; start += shardRows) {
    const end = Math.min(rows, start + shardRows);
    const bytes = planeBytes(type, end - start, columns);
    shards.push({
      start,
      end,
      values: plane(`${name}[${start}:${end}]`, bytes.values),
      scales: bytes.scales > 0 ? plane(`${name}[${start}:${end}].scales`, bytes.scales) : null,
    });
  }
  return { name, rows, columns, type, shards };
}

function plane(name: string, sizeBytes: number): Tensor {
  const words = Math.ceil(sizeBytes / 4);
  return regionTensor(name, [words], region(name, 'weights', words * 4));
}

/** Every region of a matrix. */
export function regionsOf(matrix: WeightMatrix): Region[] {
  return matrix.shards.flatMap(({ values, scales }) => [values.region, scales?.region ?? null]).filter((r): r is Region => r !== null);
}

/** The bindings of a shard for a kernel that includes its weight source. */
export function weightBindings(matrix: WeightMatrix, shard: WeightShard): Record<string, Tensor> {
  invariant(matrix.shards.includes(shard), `${matrix.name}: a shard of another matrix`);
  return shard.scales ? { w: shard.values, wScales: shard.scales } : { w: shard.values };
}
