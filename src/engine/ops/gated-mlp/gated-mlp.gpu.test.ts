import { describe, it } from 'vitest';
import { siluMulGradientReference, siluMulReference } from '#engine/ops/gated-mlp/gated-mlp.ref.ts';
import { siluMul } from '#engine/ops/gated-mlp/gated-mlp.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  tokens: number;
  width: number;
  scale?: number;
  maxBindingBytes?: number;
}

const control: Case = { name: 'control', tokens: 32, width: 64 };
const cases: Case[] = [
  control,
  { ...control, name: 'one vector', tokens: 1, width: 4 },
  { ...control, name: 'primes', tokens: 5, width: 124 },
  { ...control, name: 'one vector past a workgroup', tokens: 5, width: 52 },
  { ...control, name: 'large gates', scale: 100 },
  { ...control, name: 'small bindings', tokens: 75, width: 256, maxBindingBytes: 65536 },
];

describe('siluMul', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
      const { tokens, width } = c;
      const shape = [tokens, width];
      const gate = randomValues(tokens * width, 1, c.scale ?? 2);
      const up = randomValues(tokens * width, 2);
      const dOut = randomValues(tokens * width, 3);
      const result = await runOp(gpu, {
        inputs: { gate: { shape, data: gate, gradient: 'activation' }, up: { shape, data: up, gradient: 'activation' } },
        build: (r, t) => ({ out: siluMul(r, t['gate'], t['up']) }),
        outputGradients: { out: dOut },
      });
      const { dGate, dUp } = siluMulGradientReference(gate, up, dOut);
      assertClose('out', result.outputs['out'], siluMulReference(gate, up), 2e-6);
      assertClose('dGate', result.gradients['gate'], dGate, 2e-6);
      assertClose('dUp', result.gradients['up'], dUp, 2e-6);
    });
  }
});
