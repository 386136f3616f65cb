// Writes rows of an activation into a cache: cache[rows[i]] = x[i].
//   x [xRows, width] f32 in; rows [count] u32 in, read from rowStart on; cache [rows [cacheStart, cacheEnd), width] f32 out.
// A row outside [cacheStart, cacheEnd) is left out, and so is 0xffffffff, which is no row. Two rows must not be the same.
// One workgroup writes 64 vectors of four.
struct Params { xRows: u32, width4: u32, rowStart: u32, cacheStart: u32, cacheEnd: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> cache: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.xRows * p.width4) { return; }
  let row = rows[p.rowStart + i / p.width4];
  if (row >= p.cacheStart && row < p.cacheEnd) {
    cache[(row - p.cacheStart) * p.width4 + i % p.width4] = x[i];
  }
}
