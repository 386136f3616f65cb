// Cross-entropy of a chunk's rows: loss = log(sum_j exp(l_j - max l)) + max l - l_target; correct = [arg-max l == target].
//   logits [rows, 4 x stride4] f32 in, `vocab` columns of it used; targets [capacity] u32 in; header in;
//   normalizers [rows, 2] f32 out: max l, sum_j exp(l_j - max l); losses, correct [capacity] f32 out, from rowStart on.
// One workgroup reduces one row in a single pass: each lane keeps a running maximum and the sum relative to it, and lanes are
// merged as a tree, so the order of summation is fixed. Ties of the maximum go to the lowest column. Rows from
// header.lossRowCount on are left unwritten. All f32.
override lanes: u32 = 64; // a power of 8
struct Params { vocab: u32, stride4: u32, rows: u32, rowStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> normalizers: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> correct: array<f32>;
@group(0) @binding(5) var<storage, read> targets: array<u32>;
@group(0) @binding(6) var<storage, read> header: Header;

const LOWEST = -3.4e38;
var<workgroup> tops: array<f32, lanes>;
var<workgroup> sums: array<f32, lanes>;
var<workgroup> places: array<u32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= p.rows || p.rowStart + row >= header.lossRowCount) { return; }
  let start = row * p.stride4;
  var top = LOWEST;
  var sum = 0.0;
  var place = 0xffffffffu;
  for (var i = lane; i < p.stride4; i += lanes) {
    let column = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u);
    let v = select(vec4<f32>(LOWEST), logits[start + i], column < vec4<u32>(p.vocab));
    let highest = max(max(v.x, v.y), max(v.z, v.w));
    if (highest > top) {
      sum *= exp(top - highest);
      top = highest;
      place = select(select(select(column.w, column.z, v.z == highest), column.y, v.y == highest), column.x, v.x == highest);
    }
    sum += dot(exp(v - vec4<f32>(top)), vec4<f32>(1.0));
  }
  tops[lane] = top;
  sums[lane] = sum;
  places[lane] = place;
  for (var left = lanes / 8u; left > 0u; left /= 8u) {
    workgroupBarrier();
    if (lane < left) {
      for (var other = lane + left; other < 8u * left; other += left) {
        let otherTop = tops[other];
        let highest = max(top, otherTop);
        sum = sum * exp(top - highest) + sums[other] * exp(otherTop - highest);
        if (otherTop > top || (otherTop == top && places[other] < place)) { place = places[other]; }
        top = highest;
      }
      tops[lane] = top;
      sums[lane] = sum;
      places[lane] = place;
    }
  }
  if (lane == 0u) {
    let target_ = targets[p.rowStart + row];
    let vector = logits[start + target_ / 4u];
    losses[p.rowStart + row] = log(sum) + (top - vector[target_ % 4u]);
    correct[p.rowStart + row] = select(0.0, 1.0, place == target_);
    normalizers[row] = vec2<f32>(top, sum);
  }
}
