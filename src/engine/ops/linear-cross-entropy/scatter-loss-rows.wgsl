// The gradient of all hidden states from that of the loss rows: out[t] = rowGradients[lossRowOf[t]], or zero where lossRowOf[t] is NO_ROW.
//   rowGradients [rows, 4 x width4] f32 in: loss rows [rowStart, rowStart + rows); lossRowOf [capacity] u32 in;
//   out [tokens, 4 x width4] f32 out: tokens from tokenStart on. A token whose loss row is not in the range is left as it is.
// lossRowOf names rows below header.lossRowCount alone, so rows that no chunk has written are never read.
// One workgroup writes 64 vectors of four.
struct Params { width4: u32, rows: u32, rowStart: u32, tokens: u32, tokenStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> rowGradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> lossRowOf: array<u32>;
const NO_ROW = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.tokens * p.width4) { return; }
  let row = lossRowOf[p.tokenStart + i / p.width4];
  if (row == NO_ROW) {
    out[i] = vec4<f32>();
  } else if (row >= p.rowStart && row < p.rowStart + p.rows) {
    out[i] = rowGradients[(row - p.rowStart) * p.width4 + i % p.width4];
  }
}
