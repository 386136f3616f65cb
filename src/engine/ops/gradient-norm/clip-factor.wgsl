// The second stage of a gradient's norm: clip = (norm, factor, finite, 0) as the bits of f32.
//   norm = sqrt(sum of partials); factor = min(1, maxNorm / (norm + 1e-6)), 1 where maxNorm <= 0; finite = 1 or 0.
//   partials [count] u32 in: bits of f32 sums; clip [4] u32 out.
// One workgroup does it all: a lane adds every `lanes`-th partial, lanes are added as a tree, so the order is fixed.
// Where a partial or their sum is not finite, norm is infinity, factor 0 and finite 0; found by the bits, as in square-sums.wgsl.
override lanes: u32 = 64;
struct Params { count: u32, maxNorm: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> partials: array<u32>;
@group(0) @binding(2) var<storage, read_write> clip: vec4<u32>;
const EXPONENT = 0x7f800000u;

var<workgroup> sums: array<f32, lanes>;
var<workgroup> isBroken: atomic<u32>;

@compute @workgroup_size(lanes)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = 0.0;
  for (var i = lane; i < p.count; i += lanes) {
    if ((partials[i] & EXPONENT) == EXPONENT) { atomicStore(&isBroken, 1u); }
    sum += bitcast<f32>(partials[i]);
  }
  sums[lane] = sum;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { sums[lane] += sums[lane + step]; }
  }
  if (lane != 0u) { return; }
  if (atomicLoad(&isBroken) != 0u || (bitcast<u32>(sums[0]) & EXPONENT) == EXPONENT) {
    clip = vec4<u32>(EXPONENT, 0u, 0u, 0u);
    return;
  }
  let norm = sqrt(sums[0]);
  let factor = select(1.0, min(1.0, p.maxNorm / (norm + 1e-6)), p.maxNorm > 0.0);
  clip = bitcast<vec4<u32>>(vec4<f32>(norm, factor, 1.0, 0.0));
}
