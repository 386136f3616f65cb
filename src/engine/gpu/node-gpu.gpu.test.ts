import { expect, it, vi } from 'vitest';
import { USAGE, openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';

const SOURCE = `
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var x = data[id.x];
  for (var i = 0u; i < 20000u; i++) { x = x * 0.999 + 0.001; }
  data[id.x] = x;
}`;

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('rests while the device computes, and only then', async () => {
  const { device } = await openGpu(nodeGpu());
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: SOURCE }) },
  });
  const buffer = device.createBuffer({ size: 256 * 64 * 4, usage: USAGE.storage });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] }));
  pass.dispatchWorkgroups(256);
  pass.end();
  const rest = vi.spyOn(Atomics, 'wait');
  device.queue.submit([encoder.finish()]);
  await Promise.all([device.queue.onSubmittedWorkDone(), device.queue.onSubmittedWorkDone()]);
  expect(rest.mock.calls.length).toBeGreaterThan(1);
  await turn();
  await turn();
  rest.mockClear();
  for (let i = 0; i < 50; i++) await turn();
  expect(rest).not.toHaveBeenCalled();
  device.destroy();
});
