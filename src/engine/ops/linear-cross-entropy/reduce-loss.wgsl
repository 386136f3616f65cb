// Sums over a micro-batch's loss rows, added up over the step's micro-batches:
// sums = (sum of weight x loss, sum of correct, sum of weights, number of rows), overwritten where header.microBatch is 0.
//   losses, correct [capacity] f32 in; weights [capacity] f32 in; header in; sums [4] f32 in and out.
// One workgroup does it all: a lane adds every `lanes`-th row, lanes are added as a tree, so the order is fixed. Rows from
// header.lossRowCount on are not read: nothing may have written them. All f32.
override lanes: u32 = 64;
@group(0) @binding(1) var<storage, read_write> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> correct: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: vec4<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> header: Header;

var<workgroup> partial: array<vec4<f32>, lanes>;

@compute @workgroup_size(lanes)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>();
  for (var i = lane; i < header.lossRowCount; i += lanes) {
    sum += vec4<f32>(weights[i] * losses[i], correct[i], weights[i], 1.0);
  }
  partial[lane] = sum;
  for (var step = lanes / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (lane < step) { partial[lane] += partial[lane + step]; }
  }
  if (lane == 0u) {
    var total = partial[0];
    if (header.microBatch != 0u) { total += sums; }
    sums = total;
  }
}
