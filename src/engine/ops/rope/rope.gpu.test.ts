import { describe, it } from 'vitest';
import { Random } from '#base/random.ts';
import { ropeReference } from '#engine/ops/rope/rope.ref.ts';
import { rope, ropeTable } from '#engine/ops/rope/rope.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  tokens: number;
  heads: number;
  headSize: number;
  positions?: number;
  maxBindingBytes?: number;
}

const control: Case = { name: 'control', tokens: 32, heads: 4, headSize: 16 };
const cases: Case[] = [
  control,
  { ...control, name: 'one row', tokens: 1 },
  { ...control, name: 'one head', heads: 1 },
  { ...control, name: 'primes', tokens: 5, heads: 3, headSize: 12 },
  { ...control, name: 'the smallest head', headSize: 4 },
  { ...control, name: 'a real head', headSize: 128, positions: 2000 },
  { ...control, name: 'small bindings', tokens: 150, headSize: 64, positions: 200, maxBindingBytes: 65536 },
];

describe('rope', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { tokens, heads, headSize } = c;
      const count = c.positions ?? 50;
      const table = ropeTable({ theta: 10000, headSize, scaling: null }, count);
      const random = new Random(4);
      const positions = Uint32Array.from({ length: tokens + 3 }, (_, i) => (i === 0 ? count - 1 : random.below(count)));
      const x = randomValues(tokens * heads * headSize, 1);
      const dy = randomValues(tokens * heads * headSize, 2);
      const result = await runOp(gpu, {
        inputs: {
          x: { shape: [tokens, heads * headSize], data: x, gradient: 'activation' },
          positions: { shape: [tokens + 3], data: positions },
          table: { shape: [count, headSize / 2, 2], data: table },
        },
        build: (r, t) => ({ y: rope(r, t['x'], t['positions'], t['table'], headSize) }),
        outputGradients: { y: dy },
      });
      const used = positions.subarray(0, tokens);
      assertClose('y', result.outputs['y'], ropeReference(x, used, table, headSize), 2e-7);
      assertClose('dx', result.gradients['x'], ropeReference(dy, used, table, headSize, -1), 2e-7);
    });
  }
});
