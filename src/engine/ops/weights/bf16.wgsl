// weight4(i): the i-th four values of a row-major bf16 matrix, two to a word: the upper half of an f32's bits.
@group(0) @binding(6) var<storage, read> w: array<vec2<u32>>;

fn weight4(i: u32) -> vec4<f32> {
  let words = w[i];
  return bitcast<vec4<f32>>(vec4<u32>(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}
