import { describe, expect, it } from 'vitest';
import type { WeightType } from '#formats/weights.ts';
import { type LinearShape, linearGradientReference, linearReference } from '#engine/ops/linear/linear.ref.ts';
import { linear } from '#engine/ops/linear/linear.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { type OpInput, runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';
import { randomWeight } from '#engine/ops/testing/random-weight.ts';

interface Case {
  name: string;
  tokens: number;
  width: number;
  out: number;
  rank: number;
  type?: WeightType;
  maxBindingBytes?: number;
  dropout?: number;
  inputGradient?: boolean;
  bias?: boolean;
}

const control: Case = { name: 'control', tokens: 32, width: 64, out: 96, rank: 8 };
const cases: Case[] = [
  control,
  { ...control, name: 'one row', tokens: 1 },
  { ...control, name: 'primes', tokens: 5, width: 124, out: 44 },
  { ...control, name: 'one past a tile', tokens: 65, width: 64, out: 68 },
  { ...control, name: 'rank 4', rank: 4 },
  { ...control, name: 'no LoRA', rank: 0 },
  { ...control, name: 'no input gradient', inputGradient: false },
  { ...control, name: 'small bindings', tokens: 96, width: 256, out: 320, maxBindingBytes: 65536 },
  { ...control, name: 'dropout', dropout: 0.25 },
  { ...control, name: 'bias', bias: true },
  ...(['f16', 'bf16', 'q4_0', 'q4_1', 'q8_0'] as const).map((type): Case => ({ ...control, name: type, type })),
  { ...control, name: 'q4_1 in small bindings', type: 'q4_1', width: 1024, out: 192, tokens: 7, maxBindingBytes: 65536 },
];

describe('linear', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { tokens, width, out, rank } = c;
      const shape: LinearShape = { tokens, width, out, rank, scale: 0.75 };
      const weight = randomWeight('w', c.type ?? 'f32', out, width, 3, gpu.limits);
      const x = randomValues(tokens * width, 1);
      const a = randomValues(rank * width, 4, 0.1);
      const b = randomValues(out * rank, 5, 0.1);
      const dy = randomValues(tokens * out, 6);
      const header = new Uint32Array(8);
      header[3] = 12345;
      const xGradient = c.inputGradient ?? true;
      const inputs: Record<string, OpInput> = { x: { shape: [tokens, width], data: x, ...(xGradient ? { gradient: 'activation' } : {}) } };
      if (rank > 0) {
        inputs['a'] = { shape: [rank, width], data: a, gradient: 'parameter' };
        inputs['b'] = { shape: [out, rank], data: b, gradient: 'parameter' };
        inputs['header'] = { shape: [8], data: header };
      }
      const bias = c.bias ? randomValues(out, 8) : undefined;
      if (bias) inputs['bias'] = { shape: [out], data: bias };
      const dropout = c.dropout === undefined ? null : { rate: c.dropout, salt: 7 };
      const result = await runOp(gpu, {
        inputs,
        weights: [{ matrix: weight.matrix, planes: weight.planes }],
        build: (r, t) => {
          const lora = rank > 0 ? { a: t['a'], b: t['b'], scale: shape.scale, dropout, header: t['header'] } : null;
          return { y: linear(r, t['x'], weight.matrix, lora, t['bias'] ?? null) };
        },
        outputGradients: { y: dy },
      });
      let mask = new Float64Array(tokens * width).fill(1);
      if (dropout) {
        mask = await maskOf(gpu, tokens, width, dropout, header);
        const kept = mask.filter((m) => m > 0).length / mask.length;
        expect(Math.abs(kept - 0.75)).toBeLessThan(0.04);
      }
      const reference = { x, w: weight.values, a, b, mask, ...(bias ? { bias } : {}) };
      assertClose('y', result.outputs['y'], linearReference(shape, reference), 2e-6);
      const { dx, da, db } = linearGradientReference(shape, reference, dy);
      if (xGradient) assertClose('dx', result.gradients['x'], dx, 2e-6);
      if (rank > 0) {
        assertClose('da', result.gradients['a'], da, 2e-6);
        assertClose('db', result.gradients['b'], db, 2e-6);
      }
    });
  }

  /** The mask that the kernel draws: with W = 0, A = identity rows and B = 1 the branch shows it column by column. */
  async function maskOf(
    gpu: Awaited<ReturnType<typeof testGpu>>,
    tokens: number,
    width: number,
    dropout: { rate: number; salt: number },
    header: Uint32Array,
  ) {
    const zero = randomWeight('zero', 'f32', width, width, 1, gpu.limits);
    const identity = Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0));
    const result = await runOp(gpu, {
      inputs: {
        x: { shape: [tokens, width], data: new Float32Array(tokens * width).fill(1) },
        a: { shape: [width, width], data: identity, gradient: 'parameter' },
        b: { shape: [width, width], data: identity, gradient: 'parameter' },
        header: { shape: [8], data: header },
      },
      weights: [{ matrix: zero.matrix, planes: zero.planes.map((plane) => new Uint8Array(plane.byteLength)) }],
      build: (r, t) => ({ y: linear(r, t['x'], zero.matrix, { a: t['a'], b: t['b'], scale: 1, dropout, header: t['header'] }) }),
    });
    return Float64Array.from(result.outputs['y']);
  }
});
