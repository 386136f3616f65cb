// weight4(i): four values of GGML Q4_0, value = d (q - 8), blocks of 32.
// w holds a row's nibbles in the row's order, eight to a word, lowest first; wScales one f16 `d` a block, two to a word.
@group(0) @binding(6) var<storage, read> w: array<u32>;
@group(0) @binding(7) var<storage, read> wScales: array<u32>;

fn weight4(i: u32) -> vec4<f32> {
  let nibbles = w[i >> 1u] >> ((i & 1u) * 16u);
  let block = i >> 3u;
  let scale = unpack2x16float(wScales[block >> 1u])[block & 1u];
  let q = vec4<f32>(vec4<u32>(nibbles, nibbles >> 4u, nibbles >> 8u, nibbles >> 12u) & vec4<u32>(15u));
  return scale * (q - vec4<f32>(8.0));
}
