import { describe, expect, it } from 'vitest';
import { Recorder } from '#engine/graph/recorder.ts';
import { siluMulGradientReference, siluMulReference } from '#engine/ops/gated-mlp/gated-mlp.ref.ts';
import { siluMul } from '#engine/ops/gated-mlp/gated-mlp.ts';
import { assertGradient, randomValues } from '#engine/ops/testing/compare.ts';

const limits = { maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 28, offsetAlignment: 256, maxWorkgroupsPerDimension: 65535 };

describe('siluMul reference', () => {
  it('has the gradients of its central differences', () => {
    const [gate, up, dOut] = [1, 2, 3].map((seed) => Float64Array.from(randomValues(24, seed, 2)));
    const { dGate, dUp } = siluMulGradientReference(gate, up, dOut);
    assertGradient('dGate', (v) => siluMulReference(v, up), gate, dOut, dGate);
    assertGradient('dUp', (v) => siluMulReference(gate, v), up, dOut, dUp);
  });
});

describe('siluMul', () => {
  it('refuses two shapes and one tensor twice', () => {
    const r = new Recorder(limits);
    const gate = r.tensor('gate', [2, 8]);
    expect(() => siluMul(r, gate, r.tensor('up', [2, 4]))).toThrow('[2, 8] and [2, 4] differ');
    expect(() => siluMul(r, gate, gate)).toThrow('gate is given twice');
  });
});
