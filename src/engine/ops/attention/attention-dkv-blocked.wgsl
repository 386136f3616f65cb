// As attention-dkv.wgsl, four neighbouring keys of one kv head an invocation, so that a query is loaded once for four.
// One workgroup does headLanes kv heads x rowLanes blocks of four keys; queries come four at a time. All f32.
// Matrices: keyRows, valueRows and the sums hold vector d of the four keys, a key a column; s, dw, w and ds hold queries down, keys across.
override headLanes: u32 = 4;
override rowLanes: u32 = 8;
struct Params { rows: u32, heads: u32, kvHeads: u32, vectors: u32, queryStart: u32, queryEnd: u32, scale: f32, accumulate: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> keyEnd: array<u32>;
@group(0) @binding(7) var<storage, read_write> dk: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> dv: array<vec4<f32>>;

fn weightOf(s: vec4<f32>, lse: vec4<f32>, queries: vec4<u32>, key: u32, end: u32) -> vec4<f32> {
  return select(vec4<f32>(), exp(s - lse), (queries >= vec4<u32>(key)) & (queries < vec4<u32>(end)));
}

@compute @workgroup_size(headLanes, rowLanes)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let kvHead = id.x;
  let first = id.y * 4u;
  if (kvHead >= p.kvHeads || first >= p.rows) { return; }
  // Past the last key the last is computed again and not stored.
  let keys = min(first + vec4<u32>(0, 1, 2, 3), vec4<u32>(p.rows - 1u));
  let own = (keys * p.kvHeads + kvHead) * p.vectors;
  let end = min(vec4<u32>(keyEnd[keys.x], keyEnd[keys.y], keyEnd[keys.z], keyEnd[keys.w]), vec4<u32>(p.queryEnd));
  let begin = max(keys.x, p.queryStart);
  let until = max(max(end.x, end.y), max(end.z, end.w));
  let group = p.heads / p.kvHeads;
  var keyRows: array<mat4x4<f32>, MAX_VECTORS>;
  var valueRows: array<mat4x4<f32>, MAX_VECTORS>;
  var keySums: array<mat4x4<f32>, MAX_VECTORS>;
  var valueSums: array<mat4x4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) {
    keyRows[d] = p.scale * mat4x4<f32>(k[own.x + d], k[own.y + d], k[own.z + d], k[own.w + d]);
    valueRows[d] = mat4x4<f32>(v[own.x + d], v[own.y + d], v[own.z + d], v[own.w + d]);
  }
  for (var head = kvHead * group; head < (kvHead + 1u) * group; head++) {
    for (var query = begin; query < until; query += 4u) {
      let queries = query + vec4<u32>(0, 1, 2, 3);
      let inside = min(queries, vec4<u32>(until - 1u));
      let at = ((inside - p.queryStart) * p.heads + head) * p.vectors;
      let stat = inside * p.heads + head;
      let rowStats = transpose(mat4x2<f32>(stats[stat.x], stats[stat.y], stats[stat.z], stats[stat.w]));
      var s = mat4x4<f32>();
      var dw = mat4x4<f32>();
      for (var d = 0u; d < p.vectors; d++) {
        s += transpose(mat4x4<f32>(q[at.x + d], q[at.y + d], q[at.z + d], q[at.w + d])) * keyRows[d];
      }
      for (var d = 0u; d < p.vectors; d++) {
        dw += transpose(mat4x4<f32>(dOut[at.x + d], dOut[at.y + d], dOut[at.z + d], dOut[at.w + d])) * valueRows[d];
      }
      let w = mat4x4<f32>(
        weightOf(s[0], rowStats[0], queries, keys.x, end.x),
        weightOf(s[1], rowStats[0], queries, keys.y, end.y),
        weightOf(s[2], rowStats[0], queries, keys.z, end.z),
        weightOf(s[3], rowStats[0], queries, keys.w, end.w),
      );
      let ds = mat4x4<f32>(
        w[0] * (dw[0] - rowStats[1]),
        w[1] * (dw[1] - rowStats[1]),
        w[2] * (dw[2] - rowStats[1]),
        w[3] * (dw[3] - rowStats[1]),
      );
      for (var d = 0u; d < p.vectors; d++) {
        keySums[d] += mat4x4<f32>(q[at.x + d], q[at.y + d], q[at.z + d], q[at.w + d]) * ds;
      }
      for (var d = 0u; d < p.vectors; d++) {
        valueSums[d] += mat4x4<f32>(dOut[at.x + d], dOut[at.y + d], dOut[at.z + d], dOut[at.w + d]) * w;
      }
    }
  }
  for (var i = 0u; i < min(4u, p.rows - first); i++) {
    for (var d = 0u; d < p.vectors; d++) {
      var keyGradient = keySums[d][i] * p.scale;
      var valueGradient = valueSums[d][i];
      if (p.accumulate != 0u) {
        keyGradient += dk[own[i] + d];
        valueGradient += dv[own[i] + d];
      }
      dk[own[i] + d] = keyGradient;
      dv[own[i] + d] = valueGradient;
    }
  }
}
