/** Turns a file's quantised blocks into the planes that kernels read. Same bits, other places. */
import type { WeightType } from '#formats/weights.ts';

export interface Planes {
  values: Uint8Array;
  scales: Uint8Array | null;
}

const BLOCK = 32;

/**
 * Splits whole blocks of a file into a value plane and a scale plane (layouts: the .wgsl file of the type).
 * GGML keeps values 0-15 of a block in low nibbles and 16-31 in high ones; the plane holds them in the row's order.
 * @source ggml's block_q4_0, block_q4_1, block_q8_0
 */
export function toPlanes(type: WeightType, bytes: Uint8Array): Planes {
  if (type === 'q4_0') return splitNibbles(bytes, 2);
  if (type === 'q4_1') return splitNibbles(bytes, 4);
  if (type === 'q8_0') return splitBytes(bytes);
  return { values: bytes, scales: null };
}

function splitNibbles(bytes: Uint8Array, scaleBytes: number): Planes {
  const blockBytes = scaleBytes + BLOCK / 2;
  const count = bytes.byteLength / blockBytes;
  const values = new Uint8Array((count * BLOCK) / 2);
  const scales = new Uint8Array(count * scaleBytes);
  for (let block = 0; block < count; block++) {
    const from = block * blockBytes;
    scales.set(bytes.subarray(from, from + scaleBytes), block * scaleBytes);
    const quants = from + scaleBytes;
    const to = (block * BLOCK) / 2;
    for (let i = 0; i < BLOCK / 4; i++) {
      const a = bytes[quants + 2 * i];
      const b = bytes[quants + 2 * i + 1];
      values[to + i] = (a & 15) | ((b & 15) << 4);
      values[to + BLOCK / 4 + i] = (a >> 4) | (b & 0xf0);
    }
  }
  return { values, scales };
}

function splitBytes(bytes: Uint8Array): Planes {
  const blockBytes = 2 + BLOCK;
  const count = bytes.byteLength / blockBytes;
  const values = new Uint8Array(count * BLOCK);
  const scales = new Uint8Array(count * 2);
  for (let block = 0; block < count; block++) {
    const from = block * blockBytes;
    scales.set(bytes.subarray(from, from + 2), block * 2);
    values.set(bytes.subarray(from + 2, from + blockBytes), block * BLOCK);
  }
  return { values, scales };
}
