/** 16-bit floats as f32 values. Knows bits alone, nothing of tensors or files. */

const scratch = new Uint32Array(1);
const scratchFloat = new Float32Array(scratch.buffer);

function decodeF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let table: Float32Array | undefined;

/** Every f16 as f32, 256 KiB, made once: a table is faster than arithmetic when whole tensors are widened. */
function f16Table(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => decodeF16(bits));
  return table;
}

/** The value of an IEEE 754 binary16, exact. */
export function f16ToF32(bits: number): number {
  return f16Table()[bits & 0xffff];
}

/** The value of a bfloat16, exact: its bits are the upper half of the f32. */
export function bf16ToF32(bits: number): number {
  scratch[0] = (bits & 0xffff) << 16;
  return scratchFloat[0];
}
