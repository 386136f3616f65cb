// What both gradient kernels need of a query's head: its log-sum-exp, and D = sum_e dOut_e out_e.
//   out, dOut [queries, heads, E] f32 in; lse [queries, heads] f32 in; stats [queries, heads, 2] f32 out. E = 4 x HEAD_VECTORS.
// One invocation a head of a query; a workgroup 64 of them. All f32.
struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.count) { return; }
  var product = 0.0;
  for (var e = 0u; e < HEAD_VECTORS; e++) { product += dot(out[i * HEAD_VECTORS + e], dOut[i * HEAD_VECTORS + e]); }
  stats[i] = vec2<f32>(lse[i], product);
}
