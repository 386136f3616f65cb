import { expect, it } from 'vitest';
import { USAGE } from '#engine/gpu/device.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

const SOURCE = `
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var x = data[id.x];
  for (var i = 0u; i < 20000u; i++) { x = x * 0.999 + 0.001; }
  data[id.x] = x;
}`;

/** Turns of the event loop until `until` resolves. */
async function countTurns(until: Promise<unknown>): Promise<number> {
  const counted = { turns: 0, isOver: false };
  const turn = () => {
    counted.turns++;
    if (!counted.isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await until;
  counted.isOver = true;
  return counted.turns;
}

it('rests while the device computes, and only then', async () => {
  const { device } = await testGpu();
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
  const startedAt = performance.now();
  device.queue.submit([encoder.finish()]);
  const turns = await countTurns(Promise.all([device.queue.onSubmittedWorkDone(), device.queue.onSubmittedWorkDone()]));
  const elapsedMs = performance.now() - startedAt;
  expect(elapsedMs).toBeGreaterThan(10);
  // At least a millisecond a turn, however many promises are open; a loop without rest takes thousands.
  expect(turns).toBeLessThan(elapsedMs + 3);
  expect(turns).toBeGreaterThan(elapsedMs / 20);
  const free = await countTurns(new Promise((resolve) => setTimeout(resolve, 50)));
  expect(free).toBeGreaterThan(200);
  buffer.destroy();
});
