import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type AdamWState, adamWReference } from '#engine/ops/adamw/adamw.ref.ts';
import { maxDifference } from '#engine/ops/testing/compare.ts';

interface Fixture {
  initial: number[];
  gradients: number[][];
  runs: { learningRate: number; betas: [number, number]; epsilon: number; weightDecay: number; parametersAfterEach10: number[][] }[];
}

const fixture = (JSON.parse(readFileSync(new URL('../../train/fixtures/optimizer.json', import.meta.url), 'utf8')) as { adamw: Fixture })
  .adamw;

describe('AdamW reference', () => {
  for (const run of fixture.runs) {
    it(`is torch.optim.AdamW in float64 over 100 steps, weight decay ${run.weightDecay}`, () => {
      const size = fixture.initial.length;
      const state: AdamWState = {
        parameters: Float64Array.from(fixture.initial),
        first: new Float64Array(size),
        second: new Float64Array(size),
      };
      const settings = { beta1: run.betas[0], beta2: run.betas[1], epsilon: run.epsilon, weightDecay: run.weightDecay };
      expect(fixture.gradients).toHaveLength(100);
      expect(run.parametersAfterEach10).toHaveLength(10);
      for (const [i, gradient] of fixture.gradients.entries()) {
        adamWReference(state, gradient, i + 1, run.learningRate, settings);
        if ((i + 1) % 10 !== 0) continue;
        expect(maxDifference(state.parameters, run.parametersAfterEach10[(i + 1) / 10 - 1])).toBeLessThan(1e-10);
      }
      expect(maxDifference(state.parameters, fixture.initial)).toBeGreaterThan(0.01);
    });
  }
});
