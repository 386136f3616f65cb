// Gradient of an RMS norm's input: dx = prior + rstd * (dy * weight - x * rstd^2 * mean(dy * weight * x)).
//   x, dy [rows, width] f32 in; weight [width] f32 in; rstd [all rows] f32 in, read from rowStart on; dx [rows, width] f32 out.
//   prior4(i): the i-th vector of the gradient that had arrived before, from prior.wgsl or no-prior.wgsl.
// One workgroup does groupRows rows; lanes share a row as in rmsnorm.wgsl. All f32.
override lanes: u32 = 1;
override groupRows: u32 = 16;
struct Params { rows: u32, width4: u32, rowStart: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(4) var<storage, read_write> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(lanes, groupRows)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let row = (group.y * groups.x + group.x) * groupRows + local.y;
  if (row >= p.rows) { return; }
  let base = row * p.width4;
  var products = vec4<f32>();
  for (var i = 0u; i < p.width4; i++) {
    products += dy[base + i] * weight[i] * x[base + i];
  }
  let scale = rstd[p.rowStart + row];
  let along = scale * scale * dot(products, vec4<f32>(1.0)) / f32(4u * p.width4);
  for (var i = local.x; i < p.width4; i += lanes) {
    dx[base + i] = prior4(base + i) + scale * (dy[base + i] * weight[i] - x[base + i] * along);
  }
}
