// Attention with an online softmax, one query of one head an invocation: for query i of head h, with keys j of [rangeStart[i], rangeEnd[i]),
//   out[i, h] = sum_j softmax_j(scale * q[i, h] . k[j, g]) v[j, g], g = h / (heads / kvHeads); lse[i, h] = log sum_j exp(scale * q . k).
//   q [rows, heads, E] f32 in; k, v [keys, kvHeads, E] f32 in; rangeStart, rangeEnd [tokens] u32 in; out [rows, heads, E] f32 out;
//   lse [tokens, heads] f32 out. E = 4 x vectors. Ranges and lse are those of all tokens, used from rowStart on.
// Reads no key outside the range. An empty range gives zeros, and an lse at which every weight is zero.
// One workgroup does headLanes heads x rowLanes queries; keys come four at a time, a matrix with a key a column. All f32.
override headLanes: u32 = 4;
override rowLanes: u32 = 8;
struct Params { rows: u32, heads: u32, kvHeads: u32, vectors: u32, rowStart: u32, keys: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> rangeStart: array<u32>;
@group(0) @binding(5) var<storage, read> rangeEnd: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

// Below every score that f32 activations make, and far enough from f32's end that differences stay finite.
const HIDDEN = -1e30;

@compute @workgroup_size(headLanes, rowLanes)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x;
  if (head >= p.heads || id.y >= p.rows) { return; }
  let token = p.rowStart + id.y;
  let start = rangeStart[token];
  let end = min(rangeEnd[token], p.keys);
  let own = (id.y * p.heads + head) * p.vectors;
  if (start >= end) {
    for (var d = 0u; d < p.vectors; d++) { out[own + d] = vec4<f32>(); }
    lse[token * p.heads + head] = -HIDDEN;
    return;
  }
  let stride = p.kvHeads * p.vectors;
  let kvHead = head / (p.heads / p.kvHeads) * p.vectors;
  var query: array<vec4<f32>, MAX_VECTORS>;
  var sum: array<vec4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) { query[d] = q[own + d] * p.scale; }
  var largest = HIDDEN;
  var total = 0.0;
  for (var first = start; first < end; first += 4u) {
    let keys = first + vec4<u32>(0, 1, 2, 3);
    let at = min(keys, vec4<u32>(end - 1u)) * stride + kvHead;
    var s = vec4<f32>();
    for (var d = 0u; d < p.vectors; d++) {
      s += query[d] * mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]);
    }
    s = select(vec4<f32>(HIDDEN), s, keys < vec4<u32>(end));
    let top = max(max(largest, max(s.x, s.y)), max(s.z, s.w));
    let weight = exp(s - top);
    let shrink = exp(largest - top);
    total = total * shrink + dot(weight, vec4<f32>(1.0));
    for (var d = 0u; d < p.vectors; d++) {
      sum[d] = sum[d] * shrink + mat4x4<f32>(v[at.x + d], v[at.y + d], v[at.z + d], v[at.w + d]) * weight;
    }
    largest = top;
  }
  for (var d = 0u; d < p.vectors; d++) { out[own + d] = sum[d] / total; }
  lse[token * p.heads + head] = largest + log(total);
}
