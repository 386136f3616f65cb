// Gradient of attention's queries, one query of one head an invocation: with w = exp(scale * q . k - lse), D = dOut . out,
//   dq[i, h] = scale * sum_j w (dOut[i, h] . v[j, g] - D) k[j, g] over keys j of [rangeStart[i], rangeEnd[i]), g = h / (heads / kvHeads).
//   q, dOut [rows, heads, E] f32 in; k, v [keys, kvHeads, E] f32 in; stats [tokens, heads, 2] f32 in, (lse, D);
//   rangeStart, rangeEnd [tokens] u32 in; dq [rows, heads, E] f32 out. E = 4 x vectors.
//   Ranges and stats are those of all tokens, used from rowStart on.
// One workgroup does headLanes heads x rowLanes queries; keys come four at a time, a matrix with a key a column. All f32.
override headLanes: u32 = 4;
override rowLanes: u32 = 8;
struct Params { rows: u32, heads: u32, kvHeads: u32, vectors: u32, rowStart: u32, keys: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> rangeStart: array<u32>;
@group(0) @binding(7) var<storage, read> rangeEnd: array<u32>;
@group(0) @binding(8) var<storage, read_write> dq: array<vec4<f32>>;

@compute @workgroup_size(headLanes, rowLanes)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x;
  if (head >= p.heads || id.y >= p.rows) { return; }
  let token = p.rowStart + id.y;
  let start = rangeStart[token];
  let end = min(rangeEnd[token], p.keys);
  let own = (id.y * p.heads + head) * p.vectors;
  let stride = p.kvHeads * p.vectors;
  let kvHead = head / (p.heads / p.kvHeads) * p.vectors;
  let stat = stats[token * p.heads + head];
  var query: array<vec4<f32>, MAX_VECTORS>;
  var dRow: array<vec4<f32>, MAX_VECTORS>;
  var sum: array<vec4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) {
    query[d] = q[own + d] * p.scale;
    dRow[d] = dOut[own + d];
  }
  for (var first = start; first < end; first += 4u) {
    let keys = first + vec4<u32>(0, 1, 2, 3);
    let at = min(keys, vec4<u32>(end - 1u)) * stride + kvHead;
    var s = vec4<f32>();
    var dw = vec4<f32>();
    for (var d = 0u; d < p.vectors; d++) {
      s += query[d] * mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]);
      dw += dRow[d] * mat4x4<f32>(v[at.x + d], v[at.y + d], v[at.z + d], v[at.w + d]);
    }
    let weight = select(vec4<f32>(), exp(s - stat.x), keys < vec4<u32>(end));
    let ds = weight * (dw - stat.y);
    for (var d = 0u; d < p.vectors; d++) {
      sum[d] += mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]) * ds;
    }
  }
  for (var d = 0u; d < p.vectors; d++) { dq[own + d] = sum[d] * p.scale; }
}
