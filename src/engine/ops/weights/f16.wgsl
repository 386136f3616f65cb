// weight4(i): the i-th four values of a row-major f16 matrix, two to a word, widened exactly.
@group(0) @binding(6) var<storage, read> w: array<vec2<u32>>;

fn weight4(i: u32) -> vec4<f32> {
  let words = w[i];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
