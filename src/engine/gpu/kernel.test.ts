import { describe, expect, it } from 'vitest';
import { defineKernel, linearGrid, packParams, pipelineKey } from '#engine/gpu/kernel.ts';

const SOURCE = `
struct Params { rows: u32, offset: i32, scale: f32 } // trailing
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;
`;
const kernel = defineKernel({ name: 'k', source: SOURCE, writes: ['out'], grid: () => [1, 1, 1] });

describe('defineKernel', () => {
  it('reads bindings and parameters from the WGSL', () => {
    expect(kernel.bindings).toEqual([
      { name: 'weights', index: 1, access: 'read' },
      { name: 'out', index: 4, access: 'read_write' },
    ]);
    expect(kernel.params).toEqual([
      { name: 'rows', type: 'u32' },
      { name: 'offset', type: 'i32' },
      { name: 'scale', type: 'f32' },
    ]);
  });

  it('refuses to write what is declared read, and parameters without a uniform', () => {
    expect(() => defineKernel({ name: 'k', source: SOURCE, writes: ['weights'], grid: () => [1, 1, 1] })).toThrow(/weights is written/);
    expect(() => defineKernel({ name: 'k', source: 'struct Params { a: u32 }', writes: [], grid: () => [1, 1, 1] })).toThrow(/go together/);
    expect(() =>
      defineKernel({ name: 'k', source: SOURCE.replace('rows: u32', 'rows: vec3<u32>'), writes: [], grid: () => [1, 1, 1] }),
    ).toThrow(/only u32/);
  });

  it('packs parameters in the order of the struct and refuses other names', () => {
    const view = new DataView(new ArrayBuffer(32));
    packParams(kernel, { scale: 0.5, rows: 7, offset: -3 }, view, 8);
    expect([view.getUint32(8, true), view.getInt32(12, true), view.getFloat32(16, true)]).toEqual([7, -3, 0.5]);
    expect(() => packParams(kernel, { rows: 1, offset: 1 }, view, 0)).toThrow(/scale/);
    expect(() => packParams(kernel, { rows: 1, offset: 1, scale: 1, more: 1 }, view, 0)).toThrow(/more/);
  });
});

describe('pipelineKey', () => {
  it('does not depend on the order of overrides', () => {
    expect(pipelineKey(kernel, { b: 2, a: 1 })).toBe(pipelineKey(kernel, { a: 1, b: 2 }));
    expect(pipelineKey(kernel, { a: 1 })).not.toBe(pipelineKey(kernel, { a: 2 }));
  });
});

describe('linearGrid', () => {
  it('covers any count within 65,535 a dimension', () => {
    for (const count of [1, 65535, 65536, 1_000_003, 4_000_000]) {
      const [x, y, z] = linearGrid(count);
      expect(z).toBe(1);
      expect(Math.max(x, y)).toBeLessThanOrEqual(65535);
      expect(x * y).toBeGreaterThanOrEqual(count);
      expect(x * y - count).toBeLessThan(y);
    }
  });
});
