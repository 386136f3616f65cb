// Gradient of the weighted cross-entropy with respect to logits, in place: l_j <- (exp(l_j - max) / sum - [j == target]) x weight x
// header.inverseLossTokens. Columns past `vocab`, and rows from header.lossRowCount on, become zero.
//   logits [rows, 4 x stride4] f32 in and out; normalizers [rows, 2] f32 in; targets [capacity] u32 in; weights [capacity] f32 in; header in.
// One workgroup does `lanes` x 8 vectors of four of one row. All f32.
override lanes: u32 = 64;
struct Params { vocab: u32, stride4: u32, rows: u32, rowStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> normalizers: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> targets: array<u32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> header: Header;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y;
  let first = group.x * lanes * 8u + lane;
  let last = min(p.stride4, (group.x + 1u) * lanes * 8u);
  let start = row * p.stride4;
  if (p.rowStart + row >= header.lossRowCount) {
    for (var i = first; i < last; i += lanes) { logits[start + i] = vec4<f32>(); }
    return;
  }
  let target_ = targets[p.rowStart + row];
  let scale = weights[p.rowStart + row] * header.inverseLossTokens;
  let normalizer = normalizers[row];
  let factor = scale / normalizer.y;
  for (var i = first; i < last; i += lanes) {
    let column = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u);
    let softmax = exp(logits[start + i] - vec4<f32>(normalizer.x)) * factor;
    let gradient = softmax - select(vec4<f32>(), vec4<f32>(scale), column == vec4<u32>(target_));
    logits[start + i] = select(vec4<f32>(), gradient, column < vec4<u32>(p.vocab));
  }
}
