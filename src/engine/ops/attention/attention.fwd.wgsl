// Softmax attention over a range of keys a query: out_i = sum_j p_ij v_j, p_ij = softmax_j(scale q_i . k_j), j in [rangeStart_i, rangeEnd_i).
//   q [queries, heads, E] f32 in; k, v [keys, kvHeads, E] f32 in; rangeStart, rangeEnd [queries] u32 in;
//   out [queries, heads, E] f32 out; lse [queries, heads] f32 out: the log-sum-exp of the scaled scores. E = 4 x HEAD_VECTORS.
// One invocation computes one head of one query; a workgroup 8 heads x 8 queries. Online softmax, all f32. An empty range gives zeros.
override lanesX: u32 = 8;
override lanesY: u32 = 8;
struct Params { queries: u32, heads: u32, groupHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> rangeStart: array<u32>;
@group(0) @binding(5) var<storage, read> rangeEnd: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> lse: array<f32>;

// Lower than any score, and far from overflow when subtracted.
const LOWEST = -1e30;

@compute @workgroup_size(lanesX, lanesY)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let head = id.x;
  let query = id.y;
  if (head >= p.heads || query >= p.queries) { return; }
  let kvHeads = p.heads / p.groupHeads;
  let kvHead = head / p.groupHeads;
  let at = (query * p.heads + head) * HEAD_VECTORS;
  var mine: array<vec4<f32>, HEAD_VECTORS>;
  var sum: array<vec4<f32>, HEAD_VECTORS>;
  for (var e = 0u; e < HEAD_VECTORS; e++) { mine[e] = p.scale * q[at + e]; }
  var largest = LOWEST;
  var total = 0.0;
  let end = rangeEnd[query];
  for (var key = rangeStart[query]; key < end; key++) {
    let source = (key * kvHeads + kvHead) * HEAD_VECTORS;
    var score = 0.0;
    for (var e = 0u; e < HEAD_VECTORS; e++) { score += dot(mine[e], k[source + e]); }
    if (score > largest) {
      let shrink = exp(largest - score);
      largest = score;
      total = total * shrink + 1.0;
      for (var e = 0u; e < HEAD_VECTORS; e++) { sum[e] = sum[e] * shrink + v[source + e]; }
    } else {
      let weight = exp(score - largest);
      total += weight;
      for (var e = 0u; e < HEAD_VECTORS; e++) { sum[e] += weight * v[source + e]; }
    }
  }
  let share = select(0.0, 1.0 / total, total > 0.0);
  for (var e = 0u; e < HEAD_VECTORS; e++) { out[at + e] = share * sum[e]; }
  lse[query * p.heads + head] = select(0.0, largest + log(total), total > 0.0);
}
