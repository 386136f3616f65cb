// RMS norm over the last axis: out = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + epsilon).
//   x [rows, width] f32 in; weight [width] f32 in; out [rows, width] f32 out; rstd [all rows] f32 out, written from rowStart on.
// One workgroup normalises groupRows rows. Each lane of a row sums all of its squares and writes every `lanes`-th vector:
// lanes that read one address are cheap, while a barrier costs a CPU more than the whole row. All f32.
override lanes: u32 = 1;
override groupRows: u32 = 16;
struct Params { rows: u32, width4: u32, rowStart: u32, epsilon: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;

@compute @workgroup_size(lanes, groupRows)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let row = (group.y * groups.x + group.x) * groupRows + local.y;
  if (row >= p.rows) { return; }
  let base = row * p.width4;
  var squares = vec4<f32>();
  for (var i = 0u; i < p.width4; i++) {
    let value = x[base + i];
    squares += value * value;
  }
  let scale = inverseSqrt(dot(squares, vec4<f32>(1.0)) / f32(4u * p.width4) + p.epsilon);
  if (local.x == 0u) { rstd[p.rowStart + row] = scale; }
  for (var i = local.x; i < p.width4; i += lanes) {
    out[base + i] = x[base + i] * scale * weight[i];
  }
}
