import { expect, it } from 'vitest';
import { haveQuads } from '#engine/gpu/quads.ts';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';

it('finds quads where the adapter has subgroups, and none where the feature was not asked for', async () => {
  const gpu = await openGpu(nodeGpu());
  expect(await haveQuads(gpu.device)).toBe(gpu.device.features.has('subgroups'));
  expect(gpu.limits.quads).toBe(gpu.adapter.isSoftware && gpu.device.features.has('subgroups'));
  expect((await openGpu(nodeGpu(), { quads: false })).limits.quads).toBe(false);
  const bare = { features: new Set<string>() } as unknown as GPUDevice;
  expect(await haveQuads(bare)).toBe(false);
});
