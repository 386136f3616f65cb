/** Finds out whether the lanes of a quad hand each other values as kernels with `quadBroadcast` expect. Knows no kernels. */

const LANES = 64;

/** out [64] u32: 1 where a lane found its quad to be lanes 4i to 4i + 3 of the workgroup, in the order of `subgroup_invocation_id`. */
const SOURCE = `enable subgroups;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_index) index: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let mine = vec4<f32>(f32(index / 4u), f32(lane & 3u), f32(index), 0.5);
  let all = array<vec4<f32>, 4>(quadBroadcast(mine, 0u), quadBroadcast(mine, 1u), quadBroadcast(mine, 2u), quadBroadcast(mine, 3u));
  var isRight = all[lane & 3u].z == f32(index);
  for (var i = 0u; i < 4u; i++) { isRight = isRight && all[i].x == mine.x && all[i].y == f32(i) && all[i].w == 0.5; }
  out[index] = select(0u, 1u, isRight);
}`;

// WebGPU's constants are globals in a browser alone.
const STORAGE_AND_COPY_SOURCE = 0x80 | 0x4;
const MAP_READ_AND_COPY_TARGET = 0x1 | 0x8;
const MAP_READ = 1;

/** A known-answer test: true when the device has the feature, compiles the kernel and gives the right answer. */
export async function haveQuads(device: GPUDevice): Promise<boolean> {
  if (!device.features.has('subgroups')) return false;
  const module = device.createShaderModule({ code: SOURCE });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } }).catch(() => null);
  if (!pipeline) return false;
  const size = LANES * 4;
  const out = device.createBuffer({ size, usage: STORAGE_AND_COPY_SOURCE });
  const staging = device.createBuffer({ size, usage: MAP_READ_AND_COPY_TARGET });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: out } }] }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(out, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const isRight = new Uint32Array(staging.getMappedRange()).every((word) => word === 1);
  staging.destroy();
  out.destroy();
  return isRight;
}
