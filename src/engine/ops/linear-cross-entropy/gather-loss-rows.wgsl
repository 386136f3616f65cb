// Rows of hidden states that make a chunk's loss rows: out[i] = hidden[lossRows[rowStart + i]].
//   hidden [tokens, 4 x width4] f32 in: tokens [tokenStart, tokenStart + tokens) of the batch; lossRows [capacity] u32 in;
//   out [rows, 4 x width4] f32 out. A row whose token is not in the range is left as it is.
// One workgroup copies 64 vectors of four.
struct Params { width4: u32, rows: u32, rowStart: u32, tokens: u32, tokenStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> lossRows: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.rows * p.width4) { return; }
  let token = lossRows[p.rowStart + i / p.width4];
  if (token < p.tokenStart || token >= p.tokenStart + p.tokens) { return; }
  out[i] = hidden[(token - p.tokenStart) * p.width4 + i % p.width4];
}
