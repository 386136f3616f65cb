// weight4(i): four values of GGML Q8_0, value = d q, blocks of 32.
// w holds signed bytes in the row's order, four to a word; wScales one f16 `d` a block, two to a word.
@group(0) @binding(6) var<storage, read> w: array<u32>;
@group(0) @binding(7) var<storage, read> wScales: array<u32>;

fn weight4(i: u32) -> vec4<f32> {
  let word = w[i];
  let block = i >> 3u;
  let scale = unpack2x16float(wScales[block >> 1u])[block & 1u];
  let q = bitcast<vec4<i32>>(vec4<u32>(word << 24u, word << 16u, word << 8u, word)) >> vec4<u32>(24u);
  return scale * vec4<f32>(q);
}
