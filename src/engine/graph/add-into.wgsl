// A running sum, in place: out = out + b. (Binding one range twice for writing is an error, hence a kernel of its own.)
//   b [count] f32 in; out [count] f32 in and out; count = 4 x vectors.
// One workgroup adds 64 vectors of four. All f32.
struct Params { vectors: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.vectors) { return; }
  out[i] = out[i] + b[i];
}
