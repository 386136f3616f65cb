// The gate of a gated MLP: out = silu(gate) * up, silu(g) = g / (1 + exp(-g)).
//   gate, up [count] f32 in; out [count] f32 out; count = 4 x vectors.
// One workgroup computes 64 vectors of four. All f32.
struct Params { vectors: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.vectors) { return; }
  let g = gate[i];
  // exp(88.8) is past f32; at -80 the sigmoid is 2e-35 already.
  let sigmoid = 1.0 / (1.0 + exp(-max(g, vec4<f32>(-80.0))));
  out[i] = g * sigmoid * up[i];
}
