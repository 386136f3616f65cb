// The gradients of keys and values: dv_j = sum_i p_ij dOut_i, dk_j = scale sum_i ds_ij q_i over the queries i in [j, keyEnd_j) and the
// heads that share the key's head; p and ds as in attention.dq.wgsl.
//   q, dOut [tokens, heads, E] f32 in; k, v [tokens, kvHeads, E] f32 in; stats [tokens, heads, 2] f32 in; keyEnd [tokens] u32 in;
//   dk, dv [tokens, kvHeads, E] f32 out. E = 4 x HEAD_VECTORS.
// One invocation computes one head of one key; a workgroup 4 heads x 16 keys. All f32, no atomics: the sums have one order.
override lanesX: u32 = 4;
override lanesY: u32 = 16;
struct Params { keys: u32, kvHeads: u32, groupHeads: u32, scale: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dOut: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read> keyEnd: array<u32>;
@group(0) @binding(7) var<storage, read_write> dk: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> dv: array<vec4<f32>>;

@compute @workgroup_size(lanesX, lanesY)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let kvHead = id.x;
  let key = id.y;
  if (kvHead >= p.kvHeads || key >= p.keys) { return; }
  let heads = p.kvHeads * p.groupHeads;
  let at = (key * p.kvHeads + kvHead) * HEAD_VECTORS;
  var mineK: array<vec4<f32>, HEAD_VECTORS>;
  var mineV: array<vec4<f32>, HEAD_VECTORS>;
  var sumK: array<vec4<f32>, HEAD_VECTORS>;
  var sumV: array<vec4<f32>, HEAD_VECTORS>;
  for (var e = 0u; e < HEAD_VECTORS; e++) {
    mineK[e] = p.scale * k[at + e];
    mineV[e] = v[at + e];
  }
  let end = keyEnd[key];
  for (var query = key; query < end; query++) {
    for (var member = 0u; member < p.groupHeads; member++) {
      let row = query * heads + kvHead * p.groupHeads + member;
      let source = row * HEAD_VECTORS;
      var score = 0.0;
      var product = 0.0;
      for (var e = 0u; e < HEAD_VECTORS; e++) {
        score += dot(mineK[e], q[source + e]);
        product += dot(mineV[e], dOut[source + e]);
      }
      let known = stats[row];
      let weight = exp(score - known.x);
      let ds = p.scale * weight * (product - known.y);
      for (var e = 0u; e < HEAD_VECTORS; e++) {
        sumV[e] += weight * dOut[source + e];
        sumK[e] += ds * q[source + e];
      }
    }
  }
  for (var e = 0u; e < HEAD_VECTORS; e++) {
    dk[at + e] = sumK[e];
    dv[at + e] = sumV[e];
  }
}
