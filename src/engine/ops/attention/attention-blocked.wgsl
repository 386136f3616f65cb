// As attention.wgsl, four neighbouring queries of one head an invocation, so that a key is loaded once for four.
// Keys from the first start to the last end of the four are read: they must hold finite values, as in a packed batch they do.
// One workgroup does headLanes heads x rowLanes blocks of four queries; keys come four at a time. All f32.
// Matrices: query and sum hold vector d of the four queries, a query a column; s and w hold keys down, queries across.
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

fn masked(s: mat4x4<f32>, keys: vec4<u32>, start: vec4<u32>, end: vec4<u32>) -> mat4x4<f32> {
  let hidden = vec4<f32>(HIDDEN);
  return mat4x4<f32>(
    select(hidden, s[0], (keys >= start.xxxx) & (keys < end.xxxx)),
    select(hidden, s[1], (keys >= start.yyyy) & (keys < end.yyyy)),
    select(hidden, s[2], (keys >= start.zzzz) & (keys < end.zzzz)),
    select(hidden, s[3], (keys >= start.wwww) & (keys < end.wwww)),
  );
}

// The largest score of each query.
fn largestOf(s: mat4x4<f32>) -> vec4<f32> {
  let t = transpose(s);
  return max(max(t[0], t[1]), max(t[2], t[3]));
}

fn weights(s: mat4x4<f32>, top: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(exp(s[0] - top.x), exp(s[1] - top.y), exp(s[2] - top.z), exp(s[3] - top.w));
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
  var query: array<mat4x4<f32>, MAX_VECTORS>;
  var sum: array<mat4x4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) {
    query[d] = p.scale * mat4x4<f32>(q[own.x + d], q[own.y + d], q[own.z + d], q[own.w + d]);
  }
  var largest = vec4<f32>(HIDDEN);
  var total = vec4<f32>();
  for (var key = begin; key < until; key += 4u) {
    let keys = key + vec4<u32>(0, 1, 2, 3);
    let at = min(keys, vec4<u32>(until - 1u)) * stride + kvHead;
    var s = mat4x4<f32>();
    for (var d = 0u; d < p.vectors; d++) {
      s += transpose(mat4x4<f32>(k[at.x + d], k[at.y + d], k[at.z + d], k[at.w + d])) * query[d];
    }
    s = masked(s, keys, start, end);
    let top = max(largest, largestOf(s));
    // A query whose range has not begun yet weighs hidden keys; the first key in it shrinks all that to zero.
    let w = weights(s, top);
    let shrink = exp(largest - top);
    total = total * shrink + vec4<f32>(1.0) * w;
    for (var d = 0u; d < p.vectors; d++) {
      let held = sum[d];
      sum[d] = mat4x4<f32>(held[0] * shrink.x, held[1] * shrink.y, held[2] * shrink.z, held[3] * shrink.w) +
        mat4x4<f32>(v[at.x + d], v[at.y + d], v[at.z + d], v[at.w + d]) * w;
    }
    largest = top;
  }
  let isEmpty = start >= end;
  let inverse = select(1.0 / total, vec4<f32>(), isEmpty);
  let logTotal = select(largest + log(total), vec4<f32>(-HIDDEN), isEmpty);
  for (var i = 0u; i < min(4u, p.rows - first); i++) {
    for (var d = 0u; d < p.vectors; d++) { out[own[i] + d] = sum[d][i] * inverse[i]; }
    lse[token[i] * p.heads + head] = logTotal[i];
  }
}
