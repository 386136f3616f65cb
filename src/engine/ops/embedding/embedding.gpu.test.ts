import { describe, it } from 'vitest';
import { Random } from '#base/random.ts';
import type { WeightType } from '#formats/weights.ts';
import { embeddingReference } from '#engine/ops/embedding/embedding.ref.ts';
import { embedding } from '#engine/ops/embedding/embedding.ts';
import { assertClose } from '#engine/ops/testing/compare.ts';
import { randomWeight } from '#engine/ops/testing/random-weight.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  tokens: number;
  vocabulary: number;
  width: number;
  type?: WeightType;
  /** More tokens than rows are asked for. */
  spare?: number;
  maxBindingBytes?: number;
}

const control: Case = { name: 'control', tokens: 32, vocabulary: 96, width: 64 };
const cases: Case[] = [
  control,
  { ...control, name: 'one row', tokens: 1 },
  { ...control, name: 'primes', tokens: 5, vocabulary: 101, width: 124 },
  { ...control, name: 'a batch with room for more', spare: 8 },
  ...(['f16', 'bf16', 'q4_0', 'q4_1', 'q8_0'] as const).map((type): Case => ({ ...control, name: type, type })),
  { ...control, name: 'shards', vocabulary: 300, width: 256, tokens: 90, maxBindingBytes: 65536 },
  { ...control, name: 'q4_1 in shards', type: 'q4_1', vocabulary: 300, width: 1024, tokens: 21, maxBindingBytes: 65536 },
];

describe('embedding', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { tokens: count, vocabulary, width } = c;
      const table = randomWeight('table', c.type ?? 'f32', vocabulary, width, 3, gpu.limits);
      const random = new Random(1);
      const tokens = Uint32Array.from({ length: count + (c.spare ?? 0) }, () => random.below(vocabulary));
      tokens.set([vocabulary - 1, 0, vocabulary, 0xffffffff].slice(0, count));
      const result = await runOp(gpu, {
        inputs: { tokens: { shape: [tokens.length], data: tokens } },
        weights: [{ matrix: table.matrix, planes: table.planes }],
        build: (r, t) => ({ out: embedding(r, t['tokens'], table.matrix, count) }),
      });
      // The product of a scale and a quant is rounded once, a sum with a minimum once more.
      assertClose('out', result.outputs['out'], embeddingReference(tokens.subarray(0, count), table.values, width), 1e-7);
    });
  }
});
