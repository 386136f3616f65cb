// AdamW with decoupled weight decay, as torch.optim.AdamW, on gradients scaled by the clip factor g = clip[1] x gradient:
//   p <- p (1 - lr x weightDecay);  m <- m + (1 - beta1)(g - m);  v <- v + (1 - beta2)(g^2 - v)
//   p <- p - lr x firstCorrection x m / (sqrt(v x secondCorrection) + epsilon)
//   parameters, first (m), second (v) [count] f32 in and out; gradients [count] f32 in; clip [4] f32 in (gradient-norm.wgsl); header in.
// Where clip[2], the finite flag, is 0 nothing is written. One workgroup updates 64 vectors of four. All f32; the rates
// 1 - beta come as parameters, since 1 - 0.999 in f32 is off by 5e-5 of itself.
struct Params { vectors: u32, firstRate: f32, secondRate: f32, epsilon: f32, weightDecay: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradients: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> first: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> second: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> clip: vec4<f32>;
@group(0) @binding(6) var<storage, read> header: Header;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= p.vectors || clip.z == 0.0) { return; }
  let gradient = gradients[i] * clip.y;
  let m = first[i] + p.firstRate * (gradient - first[i]);
  let v = second[i] + p.secondRate * (gradient * gradient - second[i]);
  first[i] = m;
  second[i] = v;
  let decayed = parameters[i] * (1.0 - header.learningRate * p.weightDecay);
  let step = header.learningRate * header.firstCorrection;
  parameters[i] = decayed - step * m / (sqrt(v * header.secondCorrection) + vec4<f32>(p.epsilon));
}
