// Rows of an embedding table by token id: out[i] = table[tokens[i]].
//   tokens [tokens] u32 in, read from rowStart on; out [rows, width] f32 out;
//   weight4(i): the i-th vector of the table's shard, from the weight type's source (bindings 6 and 7).
// Writes the rows whose id lies in the shard [shardStart, shardEnd); the first shard also writes zeros for ids past the vocabulary.
// One workgroup writes 64 vectors of four. Values are widened to f32.
struct Params { rows: u32, width4: u32, rowStart: u32, shardStart: u32, shardEnd: u32, vocabulary: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.rows * p.width4) { return; }
  let id = tokens[p.rowStart + i / p.width4];
  if (id >= p.shardStart && id < p.shardEnd) {
    out[i] = weight4((id - p.shardStart) * p.width4 + i % p.width4);
  } else if (id >= p.vocabulary && p.shardStart == 0u) {
    out[i] = vec4<f32>();
  }
}
