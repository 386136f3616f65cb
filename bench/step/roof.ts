/** Measures an adapter's multiply-add roof. Knows a GPUDevice and nothing of the engines. */
import { USAGE } from '#engine/gpu/device.ts';
import { ACCUMULATORS, roofSource } from './roof.wgsl.ts';

const INVOCATIONS = 4096;
/** About 0.8 GFLOP a measurement: under a tenth of a second on a slow adapter, far above a submit's cost. */
const MULTIPLY_ADDS = 96_000;
/** Floating-point operations of one measurement. */
export const ROOF_FLOPS = 2 * INVOCATIONS * MULTIPLY_ADDS;

export interface Roof {
  /** GFLOP/s of one run of the loop. */
  measure(): Promise<number>;
}

/** @param unroll 1 for the roof that shares are stated of; a larger one spends less on the loop itself. */
export async function makeRoof(device: GPUDevice, unroll: number): Promise<Roof> {
  const turns = MULTIPLY_ADDS / ACCUMULATORS / unroll;
  const pipeline = await device.createComputePipelineAsync({
    label: `roof ${unroll}`,
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: roofSource(unroll) }) },
  });
  const out = device.createBuffer({ size: INVOCATIONS * 4, usage: USAGE.storage });
  const params = device.createBuffer({ size: 16, usage: USAGE.uniform | USAGE.copyDst });
  const words = new DataView(new ArrayBuffer(16));
  words.setUint32(0, turns, true);
  words.setFloat32(4, 0.999, true);
  words.setFloat32(8, 0.001, true);
  device.queue.writeBuffer(params, 0, words.buffer);
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [
      { binding: 0, resource: { buffer: params } },
      { binding: 1, resource: { buffer: out } },
    ],
  });
  return {
    async measure() {
      await device.queue.onSubmittedWorkDone();
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(INVOCATIONS / 64);
      pass.end();
      const startedAt = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return ROOF_FLOPS / (performance.now() - startedAt) / 1e6;
    },
  };
}
