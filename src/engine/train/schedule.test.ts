import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SchedulerType } from '#recipe/recipe.ts';
import { learningRate } from '#engine/train/schedule.ts';

interface Fixture {
  schedules: { name: SchedulerType; learningRate: number; warmupSteps: number; totalSteps: number; rates: number[] }[];
}

const { schedules } = JSON.parse(readFileSync(new URL('./fixtures/optimizer.json', import.meta.url), 'utf8')) as Fixture;

describe('learningRate', () => {
  for (const { name, warmupSteps, totalSteps, learningRate: peak, rates } of schedules) {
    it(`is get_scheduler's ${name} with ${warmupSteps} steps of warmup, past the end as well`, () => {
      expect(rates.length).toBeGreaterThan(totalSteps);
      for (const [step, rate] of rates.entries()) {
        const found = learningRate(step, { type: name, warmupSteps, totalSteps, peak });
        expect(Math.abs(found - rate)).toBeLessThanOrEqual(1e-15 * peak);
      }
    });
  }

  it('covers every schedule', () => {
    expect([...new Set(schedules.map(({ name }) => name))].sort()).toEqual(['constant', 'constant_with_warmup', 'cosine', 'linear']);
  });

  it('warms up over more steps than the run has', () => {
    expect(learningRate(3, { type: 'linear', warmupSteps: 10, totalSteps: 5, peak: 1 })).toBe(0.3);
    expect(learningRate(12, { type: 'linear', warmupSteps: 10, totalSteps: 5, peak: 1 })).toBe(0);
  });
});
