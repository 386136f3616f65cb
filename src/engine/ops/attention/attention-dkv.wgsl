// Gradients of attention's keys and values, one key of one kv head an invocation: with w = exp(scale * q . k - lse), D = dOut . out,
// over the queries i of [j, keyEnd[j]) and the heads h of the kv head g,
//   dv[j, g] = sum w dOut[i, h], dk[j, g] = scale * sum w (dOut[i, h] . v[j, g] - D) q[i, h].
//   k, v [rows, kvHeads, E] f32 in, all keys; q, dOut [queryEnd - queryStart, heads, E] f32 in, the queries from queryStart on;
//   stats [tokens, heads, 2] f32 in, (lse, D); keyEnd [tokens] u32 in; dk, dv [rows, kvHeads, E] f32 out, added to when accumulate is 1.
//   E = 4 x vectors. No two invocations write one element: the sums' order is fixed.
// One workgroup does headLanes kv heads x rowLanes keys, which walk their queries side by side; queries come four at a time. All f32.
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

@compute @workgroup_size(headLanes, rowLanes)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let kvHead = id.x;
  if (kvHead >= p.kvHeads || id.y >= p.rows) { return; }
  let key = id.y;
  let start = max(key - local.y, p.queryStart);
  let end = min(keyEnd[key], p.queryEnd);
  let own = (key * p.kvHeads + kvHead) * p.vectors;
  let group = p.heads / p.kvHeads;
  var keyRow: array<vec4<f32>, MAX_VECTORS>;
  var valueRow: array<vec4<f32>, MAX_VECTORS>;
  var keySum: array<vec4<f32>, MAX_VECTORS>;
  var valueSum: array<vec4<f32>, MAX_VECTORS>;
  for (var d = 0u; d < p.vectors; d++) {
    keyRow[d] = k[own + d] * p.scale;
    valueRow[d] = v[own + d];
  }
  for (var head = kvHead * group; head < (kvHead + 1u) * group; head++) {
    for (var first = start; first < end; first += 4u) {
      let queries = first + vec4<u32>(0, 1, 2, 3);
      let rows = min(queries, vec4<u32>(end - 1u));
      let at = ((rows - p.queryStart) * p.heads + head) * p.vectors;
      let stat = rows * p.heads + head;
      let rowStats = transpose(mat4x2<f32>(stats[stat.x], stats[stat.y], stats[stat.z], stats[stat.w]));
      var s = vec4<f32>();
      var dw = vec4<f32>();
      for (var d = 0u; d < p.vectors; d++) {
        s += keyRow[d] * mat4x4<f32>(q[at.x + d], q[at.y + d], q[at.z + d], q[at.w + d]);
        dw += valueRow[d] * mat4x4<f32>(dOut[at.x + d], dOut[at.y + d], dOut[at.z + d], dOut[at.w + d]);
      }
      let weight = select(vec4<f32>(), exp(s - rowStats[0]), (queries >= vec4<u32>(key)) & (queries < vec4<u32>(end)));
      let ds = weight * (dw - rowStats[1]);
      for (var d = 0u; d < p.vectors; d++) {
        keySum[d] += mat4x4<f32>(q[at.x + d], q[at.y + d], q[at.z + d], q[at.w + d]) * ds;
        valueSum[d] += mat4x4<f32>(dOut[at.x + d], dOut[at.y + d], dOut[at.z + d], dOut[at.w + d]) * weight;
      }
    }
  }
  for (var d = 0u; d < p.vectors; d++) {
    var keyGradient = keySum[d] * p.scale;
    var valueGradient = valueSum[d];
    if (p.accumulate != 0u) {
      keyGradient += dk[own + d];
      valueGradient += dv[own + d];
    }
    dk[own + d] = keyGradient;
    dv[own + d] = valueGradient;
  }
}
