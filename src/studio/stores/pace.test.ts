import { expect, it } from 'vitest';
import { createPaceStore, expectedSeconds, paceKey, PaceMeter } from '#studio/stores/pace.ts';
import { memoryStorage } from '#studio/testing/fake-page.ts';

const device = { vendor: 'v', architecture: 'a', description: 'd' };

it('knows a rate from the steps after the first, once there are some', () => {
  const meter = new PaceMeter();
  const step = (realTokens: number, stepMs: number) => ({ realTokens, stepMs });
  meter.append([step(10, 60_000), step(100, 100), step(200, 200)]);
  expect(meter.tokensPerSecond).toBeNull();
  meter.append([step(300, 100)]);
  expect(meter.tokensPerSecond).toBe(1500);
  meter.clear();
  expect(meter.tokensPerSecond).toBeNull();
});

it('keeps the last rate of each model, device and way to train over a reload', () => {
  const storage = memoryStorage();
  const keys = [true, false].map((recompute) => paceKey({ modelKey: 'a', device, recompute }));
  const { measured } = createPaceStore(storage).getState();
  measured(keys[0], 100);
  measured(keys[1], 200);
  measured(keys[0], 150);
  expect(createPaceStore(storage).getState().rates).toEqual({ [keys[1]]: 200, [keys[0]]: 150 });
  for (let i = 0; i < 60; i++) measured(`other ${i}`, 1);
  expect(Object.keys(createPaceStore(storage).getState().rates)).toHaveLength(50);
  storage.setItem('loratory.pace', JSON.stringify({ version: 1, state: { rates: { a: 'fast', b: -1, c: 5 } } }));
  expect(createPaceStore(storage).getState().rates).toEqual({ c: 5 });
});

it('tells the time of the steps from the tokens that they take', () => {
  // Five rows of 20 tokens, two a step: three steps an epoch.
  expect(expectedSeconds({ steps: 6, rowsPerStep: 2 }, [20, 20, 20, 20, 20], 50)).toBe(4);
  expect(expectedSeconds({ steps: 6, rowsPerStep: 2 }, [], 50)).toBe(0);
});
