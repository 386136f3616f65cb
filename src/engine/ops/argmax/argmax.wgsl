// The place of each row's largest value, the lowest one on ties: out[row] = min { j : values[row, j] = max values[row, 0..columns) }.
//   values [rows, 4 x stride4] f32 in, `columns` of them used; out [rows] u32 out, from rowStart on.
// One workgroup does one row: each lane keeps its own best, lanes are merged as a tree.
override lanes: u32 = 64;
struct Params { columns: u32, stride4: u32, rows: u32, rowStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

const LOWEST = -3.4e38;
var<workgroup> tops: array<f32, lanes>;
var<workgroup> places: array<u32, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.y * groups.x + group.x;
  if (row >= p.rows) { return; }
  var top = LOWEST;
  var place = 4u * p.stride4;
  for (var i = lane; i < p.stride4; i += lanes) {
    let column = vec4<u32>(4u * i) + vec4<u32>(0u, 1u, 2u, 3u);
    let v = select(vec4<f32>(LOWEST), values[row * p.stride4 + i], column < vec4<u32>(p.columns));
    let highest = max(max(v.x, v.y), max(v.z, v.w));
    if (highest > top) {
      top = highest;
      place = select(select(select(column.w, column.z, v.z == highest), column.y, v.y == highest), column.x, v.x == highest);
    }
  }
  tops[lane] = top;
  places[lane] = place;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) {
      let otherTop = tops[lane + step];
      let otherPlace = places[lane + step];
      if (otherTop > top || (otherTop == top && otherPlace < place)) {
        top = otherTop;
        place = otherPlace;
        tops[lane] = top;
        places[lane] = place;
      }
    }
  }
  // A row with nothing above LOWEST (all NaN or minus infinity) has no largest value: 0, which is at least a place.
  if (lane == 0u) { out[p.rowStart + row] = select(place, 0u, place >= p.columns); }
}
