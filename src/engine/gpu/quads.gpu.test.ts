import { expect, it } from 'vitest';
import { haveQuads } from '#engine/gpu/quads.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

it('finds quads where the adapter has subgroups, and none where the feature was not asked for', async () => {
  const gpu = await testGpu();
  expect(await haveQuads(gpu.device)).toBe(gpu.device.features.has('subgroups'));
  expect(gpu.limits.quads).toBe(gpu.adapter.isSoftware && gpu.device.features.has('subgroups'));
  expect((await testGpu({ quads: false })).limits.quads).toBe(false);
  const bare = { features: new Set<string>() } as unknown as GPUDevice;
  expect(await haveQuads(bare)).toBe(false);
});
