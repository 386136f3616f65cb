// What attention's gradient needs of each row: stats[i, h] = (lse[i, h], dOut[i, h] . out[i, h]).
//   out, dOut [rows, heads, E] f32 in; lse [tokens, heads] f32 in; stats [tokens, heads, 2] f32 out. E = 4 x vectors.
//   lse and stats are those of all tokens, used from rowStart on.
// One invocation does one row of one head; one workgroup 64 of them. All f32.
struct Params { rows: u32, heads: u32, vectors: u32, rowStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.rows * p.heads) { return; }
  var products = vec4<f32>();
  for (var d = 0u; d < p.vectors; d++) { products += out[i * p.vectors + d] * dOut[i * p.vectors + d]; }
  let row = p.rowStart * p.heads + i;
  stats[row] = vec2<f32>(lse[row], dot(products, vec4<f32>(1.0)));
}
