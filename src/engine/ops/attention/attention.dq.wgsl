// The gradient of queries: dq_i = scale sum_j ds_ij k_j, ds_ij = p_ij (dOut_i . v_j - D_i), p_ij = exp(scale q_i . k_j - lse_i).
//   q, dOut [queries, heads, E] f32 in; k, v [keys, kvHeads, E] f32 in; stats [queries, heads, 2] f32 in (log-sum-exp, D);
//   rangeStart, rangeEnd [queries] u32 in; dq [queries, heads, E] f32 out. E = 4 x HEAD_VECTORS.
// One invocation computes one head of one query; a workgroup 8 heads x 8 queries. All f32.
override lanesX: u32 = 8;
override lanesY: u32 = 8;
struct Params { queries: u32, heads: u32, groupHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> rangeStart: array<u32>;
@group(0) @binding(7) var<storage, read> rangeEnd: array<u32>;
@group(0) @binding(8) var<storage, read_write> dq: array<vec4<f32>>;

@compute @workgroup_size(lanesX, lanesY)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x;
  let query = id.y;
  if (head >= p.heads || query >= p.queries) { return; }
  let kvHeads = p.heads / p.groupHeads;
  let kvHead = head / p.groupHeads;
  let row = query * p.heads + head;
  let at = row * HEAD_VECTORS;
  let mine = stats[row];
  var wanted: array<vec4<f32>, HEAD_VECTORS>;
  var gradient: array<vec4<f32>, HEAD_VECTORS>;
  var sum: array<vec4<f32>, HEAD_VECTORS>;
  for (var e = 0u; e < HEAD_VECTORS; e++) {
    wanted[e] = p.scale * q[at + e];
    gradient[e] = dOut[at + e];
  }
  let end = rangeEnd[query];
  for (var key = rangeStart[query]; key < end; key++) {
    let source = (key * kvHeads + kvHead) * HEAD_VECTORS;
    var score = 0.0;
    var product = 0.0;
    for (var e = 0u; e < HEAD_VECTORS; e++) {
      score += dot(wanted[e], k[source + e]);
      product += dot(gradient[e], v[source + e]);
    }
    let ds = p.scale * exp(score - mine.x) * (product - mine.y);
    for (var e = 0u; e < HEAD_VECTORS; e++) { sum[e] += ds * k[source + e]; }
  }
  for (var e = 0u; e < HEAD_VECTORS; e++) { dq[at + e] = sum[e]; }
}
