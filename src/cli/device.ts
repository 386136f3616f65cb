/** Opens WebGPU for the command line; where there is none, says what to do about it. */
import { existsSync } from 'node:fs';
import { AppError } from '#base/errors.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';

/** What a machine without an adapter needs, in words. */
export function adapterAdvice(platform: string, icd: string | undefined): string {
  if (platform !== 'linux') return 'update the graphics driver';
  const missing = icd?.split(':').find((path) => path !== '' && !existsSync(path));
  if (missing !== undefined)
    return `VK_ICD_FILENAMES names ${missing}, which is not there; unset it, or name the .json file of a Vulkan driver`;
  return (
    "Dawn wants a Vulkan driver: your graphics card's own, or Mesa 25 or newer, which also computes without a card " +
    '(Debian and Ubuntu: apt-get install mesa-vulkan-drivers; Debian 12 has it in bookworm-backports)'
  );
}

/**
 * The first adapter, or the one that VK_ICD_FILENAMES leaves.
 * @throws AppError `gpu/no-webgpu` where Dawn does not load, `gpu/no-adapter`, both with advice.
 */
export async function openNodeDevice(): Promise<Gpu> {
  let entry: GPU;
  try {
    // Its binary is loaded here and not at the start, so that help and errors in files need no WebGPU.
    const { nodeGpu } = await import('#engine/gpu/node-gpu.ts');
    entry = nodeGpu();
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const found = `${process.platform} ${process.arch}`;
    throw new AppError(
      'gpu/no-webgpu',
      `the package webgpu does not load on ${found} (${why}); run npm ci again on this machine; on Linux it wants glibc 2.34 and libstdc++ 12 or newer`,
      { found },
      error,
    );
  }
  try {
    return await openGpu(entry);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'gpu/no-adapter') throw error;
    throw new AppError(
      error.code,
      `${error.message}; ${adapterAdvice(process.platform, process.env.VK_ICD_FILENAMES)}`,
      error.details,
      error,
    );
  }
}
