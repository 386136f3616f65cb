// Rotary position embedding, Hugging Face's rotate_half: for pair j of a head of E, with (c, s) = table[positions[i], j],
//   out[j] = c x[j] - s x[j + E/2], out[j + E/2] = c x[j + E/2] + s x[j].
//   x [rows, heads * E] f32 in; positions [tokens] u32 in, read from rowStart on; table [positions, E/2, 2] f32 in, (cos, sin);
//   out [rows, heads * E] f32 out. direction is 1, or -1 for the gradient, which turns back.
// One invocation turns two pairs; one workgroup 64 times that. All f32.
struct Params { rows: u32, heads: u32, quarter: u32, rowStart: u32, direction: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.rows * p.heads * p.quarter) { return; }
  let head = i / p.quarter;
  let j = i % p.quarter;
  let turn = table[positions[p.rowStart + head / p.heads] * p.quarter + j];
  let cosine = turn.xz;
  let sine = turn.yw * p.direction;
  let first = head * 2u * p.quarter + j;
  let second = first + p.quarter;
  let a = x[first];
  let b = x[second];
  out[first] = cosine * a - sine * b;
  out[second] = cosine * b + sine * a;
}
