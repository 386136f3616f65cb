// weight4(i): four values of GGML Q4_1, value = d q + m, blocks of 32.
// w holds a row's nibbles in the row's order, eight to a word, lowest first; wScales one word a block, f16 `d` low, f16 `m` high.
@group(0) @binding(6) var<storage, read> w: array<u32>;
@group(0) @binding(7) var<storage, read> wScales: array<u32>;

fn weight4(i: u32) -> vec4<f32> {
  let nibbles = w[i >> 1u] >> ((i & 1u) * 16u);
  let scale = unpack2x16float(wScales[i >> 3u]);
  let q = vec4<f32>(vec4<u32>(nibbles, nibbles >> 4u, nibbles >> 8u, nibbles >> 12u) & vec4<u32>(15u));
  return scale.x * q + vec4<f32>(scale.y);
}
