/** Frozen test matrices of every weight type: random bits in the file's own layout, their planes and their exact values. */
import { Random } from '#base/random.ts';
import { BLOCKS, dequantize } from '#formats/ggml-blocks.ts';
import type { WeightType } from '#formats/weights.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import { toPlanes } from '#engine/ops/weights/relayout.ts';
import { type WeightMatrix, describeWeight } from '#engine/ops/weights/weight-matrix.ts';

export interface RandomWeight {
  matrix: WeightMatrix;
  /** In the order of `regionsOf`. */
  planes: Uint8Array[];
  /** [rows, columns], what the file's reference dequantisation gives. */
  values: Float32Array;
}

/** Random but sensible blocks: floats near 0.1, quants over their whole range, scales about 0.01. */
export function randomWeight(name: string, type: WeightType, rows: number, columns: number, seed: number, limits: GpuLimits): RandomWeight {
  const matrix = describeWeight(name, type, rows, columns, limits);
  const random = new Random(seed);
  const { elements, bytes: blockBytes } = BLOCKS[type];
  const blocks = (rows * columns) / elements;
  const bytes = new Uint8Array(blocks * blockBytes);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < blocks; block++) {
    const at = block * blockBytes;
    if (type === 'f32') view.setFloat32(at, random.normal() * 0.1, true);
    else if (type === 'bf16') view.setUint16(at, floatBits(random.normal() * 0.1) >>> 16, true);
    else if (type === 'f16') view.setUint16(at, smallHalf(random), true);
    else {
      for (let i = 0; i < blockBytes; i++) bytes[at + i] = random.below(256);
      view.setUint16(at, smallHalf(random), true);
      if (type === 'q4_1') view.setUint16(at + 2, smallHalf(random), true);
    }
  }
  const rowBytes = bytes.byteLength / rows;
  const planes = matrix.shards.flatMap(({ start, end }) => {
    const { values, scales } = toPlanes(type, bytes.subarray(start * rowBytes, end * rowBytes));
    return scales ? [values, scales] : [values];
  });
  return { matrix, planes, values: dequantize(type, bytes) };
}

function floatBits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** Bits of a random f16 of either sign between 2^-9 and 2^-5. */
function smallHalf(random: Random): number {
  return (random.below(2) << 15) | ((6 + random.below(4)) << 10) | random.below(1024);
}
