// As attention-dq.wgsl, four neighbouring queries of one head an invocation, so that a key is loaded once for four.
// Keys from the first start to the last end of the four are read: they must hold finite values, as in a packed batch they do.
// One workgroup does headLanes heads x rowLanes blocks of four queries; keys come four at a time. All f32.
// Matrices: query, dRow and sum hold vector d of the four queries, a query a column; s, dw and ds hold keys down, queries across.
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

fn scoreGradient(s: vec4<f32>, dw: vec4<f32>, stat: vec2<f32>, isInside: vec4<bool>) -> vec4<f32> {
  return select(vec4<f32>(), exp(s - stat.x), isInside) * (dw - stat.y);
}

@compute @workgroup_size(headLanes, rowLanes)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x;
  let first = id.y * 4u;
  if (head >= p.heads || first >= p.rows) { return; }
  // Past the last row the last is computed again and not stored.
  let rows = min(first + vec4<u32>(0, 1, 2, 3), vec4<u32>(p.rows - 1u));
  let own = (rows * p.heads + head) * p.vectors;
  let token = p.rowStart + rows;
  let start = vec4<u32>(rangeStart[token.x], rangeStart[token.y], rangeStart[token.z], rangeStart[token.w]);
  let end = min(vec4<u32>(rangeEnd[token.x], rangeEnd[token.y], rangeEnd[token.z], rangeEnd[token.w]), vec4<u32>(p.keys));
  let begin = min(min(start.x, start.y), min(start.z, start.w));
  let until = max(max(end.x, end.y), max(end.z, end.w));
  let stride = p.kvHeads * p.vectors;
  let kvHead = head / (p.heads / p.kvHeads) * p.vectors;
  let stat = token * p.heads + head;
  let stat0 = stats[stat.x];
  let stat1 = stats[stat.y];
  let stat2 = stats[stat.z];
  let stat3 = stats[stat.w];
  var query: array<mat4x4<f32>, MAX_VECTORS>;
  var dRow: array<mat4x4<f32>, MAX_VECTORS>;
  var sum: array<mat4x4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) {
    query[d] = p.scale * mat4x4<f32>(q[own.x + d], q[own.y + d], q[own.z + d], q[own.w + d]);
    dRow[d] = mat4x4<f32>(dOut[own.x + d], dOut[own.y + d], dOut[own.z + d], dOut[own.w + d]);
  }
  for (var key = begin; key < until; key += 4u) {
    let keys = key + vec4<u32>(0, 1, 2, 3);
    let at = min(keys, vec4<u32>(until - 1u)) * stride + kvHead;
    var s = mat4x4<f32>();
    var dw = mat4x4<f32>();
    for (var d = 0u; d < p.vectors; d++) {
      s += transpose(mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d])) * query[d];
    }
    for (var d = 0u; d < p.vectors; d++) {
      dw += transpose(mat4x4<f32>(v[at.x + d], v[at.y + d], v[at.z + d], v[at.w + d])) * dRow[d];
    }
    let ds = mat4x4<f32>(
      scoreGradient(s[0], dw[0], stat0, (keys >= start.xxxx) & (keys < end.xxxx)),
      scoreGradient(s[1], dw[1], stat1, (keys >= start.yyyy) & (keys < end.yyyy)),
      scoreGradient(s[2], dw[2], stat2, (keys >= start.zzzz) & (keys < end.zzzz)),
      scoreGradient(s[3], dw[3], stat3, (keys >= start.wwww) & (keys < end.wwww)),
    );
    for (var d = 0u; d < p.vectors; d++) {
      sum[d] += mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d]) * ds;
    }
  }
  for (var i = 0u; i < min(4u, p.rows - first); i++) {
    for (var d = 0u; d < p.vectors; d++) { dq[own[i] + d] = sum[d][i] * p.scale; }
  }
}
