// Gradients of out = silu(gate) * up, with s = 1 / (1 + exp(-gate)):
//   dGate = dOut * up * s * (1 + gate * (1 - s)), dUp = dOut * gate * s.
//   gate, up, dOut [count] f32 in; dGate, dUp [count] f32 out; count = 4 x vectors.
// One workgroup computes 64 vectors of four. All f32.
struct Params { vectors: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gate: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> up: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dGate: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dUp: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.vectors) { return; }
  let g = gate[i];
  // As in the forward kernel: exp must stay inside f32.
  let sigmoid = 1.0 / (1.0 + exp(-max(g, vec4<f32>(-80.0))));
  let d = dOut[i];
  dGate[i] = d * up[i] * sigmoid * (1.0 + g * (1.0 - sigmoid));
  dUp[i] = d * g * sigmoid;
}
