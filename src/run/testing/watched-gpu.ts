/** Dawn's entry point with its devices in reach, so that a test can lose one or let its allocations fail. */
import { nodeGpu } from '#engine/gpu/node-gpu.ts';

export interface WatchedGpu {
  entry: GPU;
  /** Every device that was opened, the newest last. */
  devices: GPUDevice[];
}

export function watchedGpu(): WatchedGpu {
  const devices: GPUDevice[] = [];
  const gpu = nodeGpu();
  const entry = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const open = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        const device = await open(descriptor);
        devices.push(device);
        return device;
      };
      return adapter;
    },
  };
  return { entry: entry as unknown as GPU, devices };
}
