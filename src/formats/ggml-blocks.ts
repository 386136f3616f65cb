/** The byte layout of each weight type, and its reference dequantisation to f32. Knows nothing of files or of models. */
import { AppError, unreachable } from '#base/errors.ts';
import { bf16ToF32, f16ToF32 } from '#formats/float16.ts';

export type WeightType = 'f32' | 'f16' | 'bf16' | 'q4_0' | 'q4_1' | 'q8_0';

/** A block holds `elements` neighbouring values of one row in `bytes` bytes; plain floats are blocks of one. */
export interface BlockLayout {
  elements: number;
  bytes: number;
}

/**
 * Little-endian. q4_0: f16 scale, 16 bytes of nibbles. q4_1: f16 scale, f16 minimum, 16 bytes of nibbles. q8_0: f16 scale, 32 int8.
 * Nibbles: element i (< 16) is the low half of byte i, element i + 16 its high half.
 * @source ggml-common.h of llama.cpp; `gguf.constants.GGML_QUANT_SIZES`
 */
export const BLOCKS: Readonly<Record<WeightType, BlockLayout>> = {
  f32: { elements: 1, bytes: 4 },
  f16: { elements: 1, bytes: 2 },
  bf16: { elements: 1, bytes: 2 },
  q4_0: { elements: 32, bytes: 18 },
  q4_1: { elements: 32, bytes: 20 },
  q8_0: { elements: 32, bytes: 34 },
};

/** Bytes of `elements` neighbouring values; `elements` is a multiple of the block. */
export function blockBytes(type: WeightType, elements: number): number {
  const block = BLOCKS[type];
  if (elements % block.elements !== 0) {
    throw new AppError('internal', `${elements} values of ${type} are not whole blocks of ${block.elements}`);
  }
  return (elements / block.elements) * block.bytes;
}

/**
 * The f32 values of whole blocks, equal bit for bit to `gguf.dequantize` (numpy in f32), NaN payloads aside.
 * q4_0: d * (q - 8); q4_1: d * q + m; q8_0: d * q. The products are exact in f64, so the store into f32 is the one rounding.
 * @throws AppError `internal` when `bytes` are not whole blocks.
 */
export function dequantize(type: WeightType, bytes: Uint8Array): Float32Array {
  const block = BLOCKS[type];
  if (bytes.byteLength % block.bytes !== 0) {
    throw new AppError('internal', `${bytes.byteLength} bytes of ${type} are not whole blocks of ${block.bytes}`);
  }
  const count = bytes.byteLength / block.bytes;
  const out = new Float32Array(count * block.elements);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case 'f32':
      // Through the bytes, not through numbers: a NaN keeps its payload.
      new Uint8Array(out.buffer).set(bytes);
      return out;
    case 'f16':
      for (let i = 0; i < count; i++) out[i] = f16ToF32(view.getUint16(2 * i, true));
      return out;
    case 'bf16':
      for (let i = 0; i < count; i++) out[i] = bf16ToF32(view.getUint16(2 * i, true));
      return out;
    case 'q4_0':
      for (let b = 0; b < count; b++) {
        const d = f16ToF32(view.getUint16(18 * b, true));
        for (let i = 0; i < 16; i++) {
          const q = bytes[18 * b + 2 + i];
          out[32 * b + i] = d * ((q & 15) - 8);
          out[32 * b + i + 16] = d * ((q >> 4) - 8);
        }
      }
      return out;
    case 'q4_1':
      for (let b = 0; b < count; b++) {
        const d = f16ToF32(view.getUint16(20 * b, true));
        const m = f16ToF32(view.getUint16(20 * b + 2, true));
        for (let i = 0; i < 16; i++) {
          const q = bytes[20 * b + 4 + i];
          out[32 * b + i] = d * (q & 15) + m;
          out[32 * b + i + 16] = d * (q >> 4) + m;
        }
      }
      return out;
    case 'q8_0':
      for (let b = 0; b < count; b++) {
        const d = f16ToF32(view.getUint16(34 * b, true));
        for (let i = 0; i < 32; i++) out[32 * b + i] = d * view.getInt8(34 * b + 2 + i);
      }
      return out;
    default:
      return unreachable(type);
  }
}
