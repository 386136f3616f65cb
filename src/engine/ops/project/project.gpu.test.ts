import { describe, expect, it } from 'vitest';
import type { WeightType } from '#formats/weights.ts';
import { linearReference } from '#engine/ops/linear/linear.ref.ts';
import { project } from '#engine/ops/project/project.ts';
import { relativeError, randomValues } from '#engine/ops/testing/compare.ts';
import { randomWeight } from '#engine/ops/testing/random-weight.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  rows: number;
  vocab: number;
  type?: WeightType;
  maxBindingBytes?: number;
}

const cases: Case[] = [
  { name: 'control', rows: 24, vocab: 96 },
  { name: 'one row', rows: 1, vocab: 96 },
  { name: 'a prime vocabulary', rows: 24, vocab: 1031 },
  { name: 'a q8_0 head in shards', rows: 37, vocab: 1031, type: 'q8_0', maxBindingBytes: 65536 },
];

describe('project', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { rows, vocab } = c;
      const width = 64;
      const head = randomWeight('head', c.type ?? 'f32', vocab, width, 3, gpu.limits);
      if (c.maxBindingBytes) expect(head.matrix.shards.length).toBeGreaterThan(1);
      const hidden = randomValues(rows * width, 1);
      const { outputs } = await runOp(gpu, {
        inputs: { hidden: { shape: [rows, width], data: hidden } },
        weights: [head],
        build: (r, { hidden }) => ({ logits: project(r, hidden, head.matrix) }),
      });
      const expected = linearReference(
        { tokens: rows, width, out: vocab, rank: 0, scale: 0 },
        { x: hidden, w: head.values, a: [], b: [], mask: [] },
      );
      const stride = Math.ceil(vocab / 4) * 4;
      expect(outputs['logits']).toHaveLength(rows * stride);
      const found = expected.map((_, i) => outputs['logits'][Math.floor(i / vocab) * stride + (i % vocab)]);
      expect(relativeError(found, expected)).toBeLessThan(2e-6);
    });
  }
});
