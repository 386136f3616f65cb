import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { StepMetrics } from '#protocol/trainer.ts';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { comparedRun, differingFields, overlaid, spreadLabels } from '#studio/runs/comparison.ts';

const recipe = (change: Partial<Recipe>) => ({
  recipe: { ...DEFAULTS, model: 'm', data_files: ['d'], mapping: { kind: 'text' as const, column: 'text' }, ...change },
});
const step = (n: number, lossNats: number): StepMetrics => ({
  step: n,
  epoch: 0,
  lossNats,
  gradientNorm: 1,
  learningRate: 1,
  lossTokens: 1,
  realTokens: 1,
  tokensPerSecond: 1,
  stepMs: 1500,
});
const evaluation = (n: number, lossNats: number) => ({ step: n, epoch: 0, lossNats, accuracy: 0.5, tokens: 9, rows: 30, isBest: false });

it('names the fields that differ, by their labels, and no others', () => {
  const found = differingFields([
    recipe({ lora_r: 4, seed: 1 }),
    recipe({ lora_r: 8, seed: 1 }),
    recipe({ lora_r: 8, seed: 1, max_steps: 9 }),
  ]);
  expect(found).toEqual([
    { field: 'lora_r', label: 'Rank', values: [4, 8, 8] },
    { field: 'max_steps', label: 'Steps', values: [null, null, 9] },
  ]);
  expect(differingFields([recipe({}), recipe({ target_modules: ['q_proj'] })]).map(({ field }) => field)).toEqual(['target_modules']);
  expect(differingFields([recipe({}), recipe({})])).toEqual([]);
});

it('sums up a run: its curves, its last loss, its best measurement, the time of its steps', () => {
  const run = comparedRun(
    'a',
    { steps: [step(1, 4), step(2, Number.NaN), step(3, 2)], evaluations: [evaluation(1, 3), evaluation(3, 2.5)] },
    0,
  );
  expect(run).toMatchObject({ id: 'a', lastLossNats: 2, best: { step: 3 }, trainedSeconds: 4.5 });
  expect(run.training).toEqual([
    { step: 1, lossNats: 4 },
    { step: 3, lossNats: 2 },
  ]);
  expect(run.validation.map(({ lossNats }) => lossNats)).toEqual([3, 2.5]);
  expect(comparedRun('b', { steps: [], evaluations: [] })).toMatchObject({
    lastLossNats: null,
    best: null,
    trainedSeconds: 0,
    training: [],
  });
});

it('lays curves of other steps over one another', () => {
  const curves = [
    [
      { step: 1, lossNats: 4 },
      { step: 3, lossNats: 3 },
    ],
    [
      { step: 2, lossNats: 5 },
      { step: 3, lossNats: 2 },
    ],
  ];
  expect(overlaid(curves)).toEqual([
    { step: 1, values: { 0: 4 } },
    { step: 2, values: { 1: 5 } },
    { step: 3, values: { 0: 3, 1: 2 } },
  ]);
});

it('moves labels apart, within the chart and in their order', () => {
  expect(spreadLabels([50, 51, 10], 14, [0, 100])).toEqual([50, 64, 10]);
  expect(spreadLabels([99, 98], 14, [0, 100])).toEqual([100, 86]);
  expect(spreadLabels([], 14, [0, 100])).toEqual([]);
});

/** Colours as linear RGB. */
const linear = (hex: string): number[] =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
const times = (matrix: number[][], vector: number[]): number[] =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));
/** CIELAB of linear RGB under D65. */
function lab(rgb: number[]): number[] {
  const xyz = times(
    [
      [0.4124, 0.3576, 0.1805],
      [0.2126, 0.7152, 0.0722],
      [0.0193, 0.1192, 0.9505],
    ],
    rgb.map((value) => Math.min(1, Math.max(0, value))),
  );
  const [x, y, z] = xyz.map((value, i) => {
    const part = value / [0.9505, 1, 1.089][i];
    return part > 0.008_856 ? Math.cbrt(part) : 7.787 * part + 16 / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
/** Machado, Oliveira, Fernandes 2009: severity 1. */
const SIGHTS = {
  full: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

it.each(['light', 'dark'])('has colours of runs that every sight tells apart, and that stand out from the page: %s', (scheme) => {
  const css = readFileSync(new URL('../tokens.css', import.meta.url), 'utf8');
  const block = css.split('}')[scheme === 'light' ? 0 : 1];
  const colours = [...block.matchAll(/--run-\d: (#[\da-f]{6})/g)].map(([, hex]) => hex);
  expect(colours).toHaveLength(6);
  const surface = /--surface: (#[\da-f]{6})/.exec(block)?.[1] ?? '';
  const luminance = (hex: string) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0];
  for (const colour of colours) {
    const [light, dark] = [luminance(colour), luminance(surface)].sort((a, b) => b - a);
    expect((light + 0.05) / (dark + 0.05)).toBeGreaterThan(3);
  }
  for (const matrix of Object.values(SIGHTS)) {
    const seen = colours.map((hex) => lab(times(matrix, linear(hex))));
    for (const [i, a] of seen.entries()) {
      for (const b of seen.slice(0, i)) {
        expect(Math.hypot(...a.map((value, k) => value - b[k]))).toBeGreaterThan(20);
      }
    }
  }
});
