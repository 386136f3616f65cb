/** The device that GPU tests share: one for a process, so that a pipeline is compiled once. */
import type { Gpu } from '#engine/gpu/device.ts';
import { type GpuOptions, openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';

const open = new Map<string, Promise<Gpu>>();

/** A device with these options, opened once. The adapter is the one that `VK_ICD_FILENAMES` leaves. */
export function testGpu(options: GpuOptions = {}): Promise<Gpu> {
  const key = JSON.stringify(options);
  let gpu = open.get(key);
  if (!gpu) {
    gpu = openGpu(nodeGpu(), options);
    open.set(key, gpu);
  }
  return gpu;
}
