// Rows of an activation by index: out[i] = x[rows[i]].
//   x [rows [xStart, xEnd) of xRows, width] f32 in; rows [count] u32 in, read from rowStart on; out [outRows, width] f32 out.
// Writes the rows whose index lies in [xStart, xEnd); the first block of x also writes zeros for an index past the end.
// One workgroup writes 64 vectors of four.
struct Params { outRows: u32, width4: u32, rowStart: u32, xStart: u32, xEnd: u32, xRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.outRows * p.width4) { return; }
  let row = rows[p.rowStart + i / p.width4];
  if (row >= p.xStart && row < p.xEnd) {
    out[i] = x[(row - p.xStart) * p.width4 + i % p.width4];
  } else if (row >= p.xRows && p.xStart == 0u) {
    out[i] = vec4<f32>();
  }
}
