import { describe, expect, it } from 'vitest';
import { type AdamWState, adamWReference } from '#engine/ops/adamw/adamw.ref.ts';
import { recordAdamW } from '#engine/ops/adamw/adamw.ts';
import { assertClose, randomValues } from '#engine/ops/testing/compare.ts';
import { runOp } from '#engine/ops/testing/run-op.ts';
import { testGpu } from '#engine/ops/testing/test-gpu.ts';

interface Case {
  name: string;
  count: number;
  step?: number;
  weightDecay?: number;
  clipFactor?: number;
  gradientScale?: number;
  maxBindingBytes?: number;
}

const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const control: Case = { name: 'control', count: 1000 };
const cases: Case[] = [
  control,
  { ...control, name: 'one vector', count: 4 },
  { ...control, name: 'weight decay', weightDecay: 0.1 },
  { ...control, name: 'clipped', clipFactor: 0.125 },
  { ...control, name: 'a late step', step: 5000 },
  { ...control, name: 'gradients below epsilon', gradientScale: 1e-9 },
  { ...control, name: 'past a binding', count: 40_004, maxBindingBytes: 65536 },
];

/** f32 as the kernel gets it. */
const f32 = Math.fround;

async function runStep(c: Case, finite: boolean) {
  const { count, step = 1, weightDecay = 0, clipFactor = 1 } = c;
  const gpu = await testGpu(c.maxBindingBytes ? { maxBindingBytes: c.maxBindingBytes } : {});
  const isFirst = step === 1;
  const scale = c.gradientScale ?? 1;
  // As small as an update, so that the update is not lost in the parameter's rounding.
  const parameters = randomValues(count, 1, 0.003);
  const gradients = randomValues(count, 2, scale);
  const first = isFirst ? new Float32Array(count) : randomValues(count, 3, scale);
  const second = isFirst ? new Float32Array(count) : randomValues(count, 4, scale).map((x) => x * x);
  const learningRate = f32(0.003);
  const header = new Float32Array(8);
  header[5] = learningRate;
  header[6] = 1 / (1 - settings.beta1 ** step);
  header[7] = 1 / (1 - settings.beta2 ** step);
  if (!finite) gradients[5] = NaN;
  const shape = [count / 4, 4];
  const result = await runOp(gpu, {
    inputs: {
      parameters: { shape, data: parameters },
      gradients: { shape, data: gradients },
      first: { shape, data: first },
      second: { shape, data: second },
      clip: { shape: [4], data: finite ? Float32Array.from([1, clipFactor, 1, 0]) : Float32Array.from([Infinity, 0, 0, 0]) },
      header: { shape: [8], data: header },
    },
    build: (r, { parameters, gradients, first, second, clip, header }) => {
      recordAdamW(r, { parameters, gradients, first, second, clip, header, ...settings, weightDecay });
      return { parameters, first, second, gradients };
    },
    times: 1,
  });
  return { before: { parameters, first, second, gradients }, after: result.outputs, learningRate };
}

describe('adamw', () => {
  for (const c of cases) {
    it(`equals its reference: ${c.name}`, async () => {
      const { before, after, learningRate } = await runStep(c, true);
      const state: AdamWState = {
        parameters: Float64Array.from(before.parameters),
        first: Float64Array.from(before.first),
        second: Float64Array.from(before.second),
      };
      const clipped = Float64Array.from(before.gradients, (g) => g * (c.clipFactor ?? 1));
      adamWReference(state, clipped, c.step ?? 1, learningRate, { ...settings, weightDecay: c.weightDecay ?? 0 });
      assertClose('first', after['first'], state.first, 1e-6);
      assertClose('second', after['second'], state.second, 1e-6);
      const update = (values: ArrayLike<number>) => Float64Array.from(values, (value, i) => value - before.parameters[i]);
      assertClose('update', update(after['parameters']), update(state.parameters), 1e-6);
      expect(after['gradients']).toEqual(before.gradients);
    });
  }

  it('changes no bit where the gradient is not finite', async () => {
    const { before, after } = await runStep({ ...control, step: 10, weightDecay: 0.1 }, false);
    for (const name of ['parameters', 'first', 'second'] as const) {
      expect(new Uint32Array(after[name].buffer)).toEqual(new Uint32Array(before[name].buffer));
    }
  });
});
