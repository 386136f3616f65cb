import { describe, expect, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import { defineKernel } from '#engine/gpu/kernel.ts';
import { liveDispatches, planArena } from '#engine/graph/plan.ts';
import { Recorder } from '#engine/graph/recorder.ts';
import { sum } from '#engine/graph/sum.ts';
import { type Tensor, region, regionTensor } from '#engine/graph/tensor.ts';

const LIMITS: GpuLimits = { maxBindingBytes: 2 ** 20, maxBufferBytes: 2 ** 20, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

const copy = defineKernel({
  name: 'copy',
  source: `struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) { if (id.x < p.count) { y[id.x] = x[id.x]; } }`,
  writes: ['y'],
  grid: () => [1, 1, 1],
});

function copyTo(r: Recorder, x: Tensor, y: Tensor): Tensor {
  r.run(copy, { x, y }, { count: 1 });
  return y;
}

const input = () => regionTensor('input', [16, 4], region('input', 'scratch', 256));

describe('planArena', () => {
  it('never lets two tensors that are alive at the same time share a byte', () => {
    const random = new Random(1);
    for (let round = 0; round < 50; round++) {
      const r = new Recorder(LIMITS);
      const tensors = [copyTo(r, input(), r.tensor('t0', [1 + random.below(3000)]))];
      for (let i = 1; i < 60; i++)
        tensors.push(copyTo(r, tensors[random.below(tensors.length)], r.tensor(`t${i}`, [1 + random.below(3000)])));
      for (let i = 0; i < 5; i++) r.output(tensors[random.below(tensors.length)]);
      const plan = planArena(r, LIMITS);
      const life = new Map<Tensor, [number, number]>();
      for (const [at, { bindings }] of plan.dispatches.entries()) {
        for (const { tensor } of bindings) if (!tensor.region) life.set(tensor, [life.get(tensor)?.[0] ?? at, at]);
      }
      for (const output of r.outputs) if (life.has(output)) life.set(output, [life.get(output)![0], Infinity]);
      const placed = [...life].map(([tensor, [first, last]]) => ({ tensor, first, last, ...plan.placements.get(tensor)! }));
      expect(placed.length).toBeGreaterThan(0);
      for (const a of placed) {
        expect(a.offset % 256).toBe(0);
        expect(a.offset + a.tensor.sizeBytes).toBeLessThanOrEqual(plan.arenas[a.arena]);
        for (const b of placed) {
          if (a === b || a.arena !== b.arena || a.first > b.last || b.first > a.last) continue;
          expect(a.offset + a.tensor.sizeBytes <= b.offset || b.offset + b.tensor.sizeBytes <= a.offset).toBe(true);
        }
      }
    }
  });

  it('uses memory again: a chain of any length needs two tensors', () => {
    const r = new Recorder(LIMITS);
    let x = copyTo(r, input(), r.tensor('first', [1024]));
    for (let i = 0; i < 20; i++) x = copyTo(r, x, r.tensor(`t${i}`, [1024]));
    r.output(x);
    expect(planArena(r, LIMITS).arenas).toEqual([2 * 4096]);
  });

  it('opens another arena when a buffer is full', () => {
    const r = new Recorder(LIMITS);
    const parts = Array.from({ length: 5 }, (_, i) => r.output(copyTo(r, input(), r.tensor(`t${i}`, [100_000]))));
    const plan = planArena(r, LIMITS);
    expect(plan.arenas.length).toBe(3);
    expect(plan.arenas.every((bytes) => bytes <= LIMITS.maxBufferBytes)).toBe(true);
    expect(new Set(parts.map((t) => `${plan.placements.get(t)!.arena} ${plan.placements.get(t)!.offset}`)).size).toBe(5);
  });

  it('drops what reaches no output and no region', () => {
    const r = new Recorder(LIMITS);
    const used = copyTo(r, input(), r.tensor('used', [8]));
    copyTo(r, used, r.tensor('dead', [8]));
    const kept = regionTensor('kept', [8], region('kept', 'scratch', 32));
    copyTo(r, used, kept);
    expect(liveDispatches(r.dispatches, r.outputs).map(({ bindings }) => bindings[1].tensor.name)).toEqual(['used', 'kept']);
  });

  it('says which tensor was read before it was written', () => {
    const r = new Recorder(LIMITS);
    r.output(copyTo(r, r.tensor('never written', [8]), r.tensor('y', [8])));
    expect(() => planArena(r, LIMITS)).toThrow(/reads never written before/);
  });
});

describe('Recorder', () => {
  /** y = x with a gradient that is a copy. */
  function identity(r: Recorder, x: Tensor, name: string): Tensor {
    const y = copyTo(r, x, r.tensor(name, x.shape));
    r.differentiable([y], [x], () => r.contribute(x, { tensor: copyTo(r, r.gradientOf(y)!, r.tensor(`d${name}`, x.shape)), owned: true }));
    return y;
  }

  function seeded(needsGrad: boolean) {
    const r = new Recorder(LIMITS);
    const x = input();
    x.needsGrad = needsGrad;
    return { r, x, seed: regionTensor('seed', [16, 4], region('seed', 'scratch', 256)) };
  }

  it('records no gradient where no parameter is reached', () => {
    const { r, x } = seeded(false);
    const y = identity(r, x, 'y');
    r.root([y], () => {
      throw new Error('the backward pass must not begin');
    });
    const before = r.dispatches.length;
    r.backward();
    expect(r.dispatches.length).toBe(before);
  });

  it('sums the gradients of several users of a tensor', () => {
    const { r, x, seed } = seeded(true);
    const ys = ['a', 'b', 'c'].map((name) => identity(r, x, name));
    r.root(ys, () => ys.forEach((y) => r.contribute(y, { tensor: seed, owned: false })));
    r.backward();
    const kinds = r.dispatches.slice(r.firstBackward).map(({ kernel }) => kernel.name);
    expect(kinds).toEqual(['copy', 'copy', 'add-into', 'copy', 'add-into']);
    expect(r.gradientOf(x)!.name).toBe('backward.dc');
  });

  it('adds to a shared gradient outside of it, never into it', () => {
    const { r, x, seed } = seeded(true);
    const other = regionTensor('other', [16, 4], region('other', 'scratch', 256));
    r.root([x], () => {
      r.contribute(x, { tensor: seed, owned: false });
      r.contribute(x, { tensor: other, owned: false });
    });
    r.backward();
    const last = r.dispatches.at(-1)!;
    expect(last.kernel.name).toBe('add');
    expect([seed, other]).not.toContain(last.bindings[2].tensor);
    expect(() => sum(r, r.tensor('twice', [16, 4]), seed, seed)).toThrow(/summed with itself/);
  });

  it('runs a recomputed segment again and reads the copies', () => {
    const { r, x, seed } = seeded(true);
    const y = r.segment('block', () => {
      const inner = copyTo(r, x, r.tensor('inner', [16, 4]));
      const out = copyTo(r, inner, r.tensor('out', [16, 4]));
      r.differentiable([out], [x], () => {
        r.contribute(x, { tensor: copyTo(r, inner, r.tensor('dx', [16, 4])), owned: true });
      });
      return out;
    });
    r.root([y], () => r.contribute(y, { tensor: seed, owned: false }));
    r.backward(() => true);
    const [again, , gradient] = r.dispatches.slice(r.firstBackward);
    expect(again.bindings[1].tensor.name).toBe('block.inner.again');
    expect(gradient.bindings[0].tensor).toBe(again.bindings[1].tensor);
  });

  it('splits rows so that every operand fits a binding and starts on its alignment', () => {
    const r = new Recorder({ ...LIMITS, maxBindingBytes: 65536 });
    const blocks = r.rowBlocks(5000, 48, 20);
    expect(blocks[0][0]).toBe(0);
    expect(blocks.at(-1)![1]).toBe(5000);
    for (const [i, [start, end]] of blocks.entries()) {
      if (i > 0) expect(start).toBe(blocks[i - 1][1]);
      expect((end - start) * 48).toBeLessThanOrEqual(65536);
      expect((start * 48) % 256).toBe(0);
      expect((start * 20) % 256).toBe(0);
    }
    expect(blocks.length).toBeGreaterThan(1);
    expect(() => r.rowBlocks(10, 70000)).toThrow(/70000 bytes/);
  });

  it('names a tensor that no binding holds', () => {
    const r = new Recorder(LIMITS);
    expect(() => copyTo(r, input(), r.tensor('wide', [2 ** 20]))).toThrow(/wide needs a binding of 4194304 bytes/);
  });
});
