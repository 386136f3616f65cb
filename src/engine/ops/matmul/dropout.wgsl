// A counter-based dropout mask: the same seed, step, layer, row and column give the same element in forward and backward.
// Four columns of one row: 1 / (1 - rate) where kept, else 0. `keep` is 1 - rate; the hash is pcg4d.
// Source: Jarzynski and Olano, Hash Functions for GPU Rendering, JCGT 9(3), 2020.
fn pcg4d(seed: vec4<u32>) -> vec4<u32> {
  var v = seed * 1664525u + 1013904223u;
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  v ^= v >> vec4<u32>(16u);
  v.x += v.y * v.w;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v.w += v.y * v.z;
  return v;
}

fn dropoutMask(row: u32, column4: u32) -> vec4<f32> {
  let bits = pcg4d(vec4<u32>(row, column4, p.salt, header.dropoutKey));
  let uniform01 = vec4<f32>(bits >> vec4<u32>(8u)) * (1.0 / 16777216.0);
  return select(vec4<f32>(0.0), vec4<f32>(1.0 / p.keep), uniform01 < vec4<f32>(p.keep));
}
