import { describe, expect, it } from 'vitest';
import { adapterAdvice } from '#cli/device.ts';

describe('adapterAdvice', () => {
  it.each([
    ['linux', undefined, /Dawn wants a Vulkan driver: .*apt-get install mesa-vulkan-drivers/],
    ['linux', '', /Dawn wants a Vulkan driver/],
    ['linux', import.meta.filename, /Dawn wants a Vulkan driver/],
    ['linux', `${import.meta.filename}:/no/such.json`, /^VK_ICD_FILENAMES names \/no\/such\.json, which is not there; unset it/],
    ['win32', undefined, /^update the graphics driver$/],
  ])('says what to do on %s with VK_ICD_FILENAMES %s', (platform, icd, advice) => {
    expect(adapterAdvice(platform, icd)).toMatch(advice);
  });
});
