// The first stage of a gradient's norm: sums of squares of stretches of 4,096 elements.
//   gradients [4 x vectors] f32 in, read as bits; partials [groups] u32 out: the bits of an f32 sum, from partialStart on.
// One workgroup sums one stretch: a lane adds every `lanes`-th vector, lanes are added as a tree, so the order is fixed.
// A stretch with an infinity or a NaN gives the bits of infinity: a compiler may assume that floats are finite, so the bits are tested.
override lanes: u32 = 64;
struct Params { vectors: u32, partialStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradients: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> partials: array<u32>;
const EXPONENT = 0x7f800000u;
const STRETCH = 1024u;

var<workgroup> sums: array<f32, lanes>;
var<workgroup> isBroken: atomic<u32>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * groups.x + group.x;
  let start = index * STRETCH;
  if (start >= p.vectors) { return; }
  let end = min(start + STRETCH, p.vectors);
  var sum = 0.0;
  for (var i = start + lane; i < end; i += lanes) {
    let bits = gradients[i];
    if (any((bits & vec4<u32>(EXPONENT)) == vec4<u32>(EXPONENT))) { atomicStore(&isBroken, 1u); }
    let gradient = bitcast<vec4<f32>>(bits);
    sum += dot(gradient, gradient);
  }
  sums[lane] = sum;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { sums[lane] += sums[lane + step]; }
  }
  if (lane == 0u) { partials[p.partialStart + index] = select(bitcast<u32>(sums[0]), EXPONENT, atomicLoad(&isBroken) != 0u); }
}
