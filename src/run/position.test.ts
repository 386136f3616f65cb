import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge, startPosition } from '#run/position.ts';

interface EarlyStoppingRun {
  name: string;
  patience: number;
  threshold: number;
  greaterIsBetter: boolean;
  values: (number | 'nan' | 'inf')[];
  stepsRun: number;
  stoppedEarly: boolean;
  /** null: none was better than nothing. */
  bestStep: number | null;
  bestValue: number | 'nan' | 'inf';
  counters: number[];
}

const { runs } = JSON.parse(readFileSync(new URL('fixtures/early-stopping.json', import.meta.url), 'utf8')) as { runs: EarlyStoppingRun[] };
const number = (value: number | 'nan' | 'inf') => (value === 'nan' ? NaN : value === 'inf' ? Infinity : value);

describe('judge', () => {
  it.each(runs.map((run) => [run.name, run] as const))("stops where transformers' Trainer stops, and finds its best: %s", (_, run) => {
    const recipe = {
      metric_for_best_model: run.greaterIsBetter ? ('eval_mean_token_accuracy' as const) : ('eval_loss' as const),
      early_stopping_patience: run.patience,
      early_stopping_threshold: run.threshold,
    };
    const position = startPosition(1);
    const counters: number[] = [];
    let endsEarly = false;
    for (const value of run.values) {
      if (endsEarly) break;
      position.step++;
      const metric = number(value);
      const found = { lossNats: metric, accuracy: metric, tokens: 1, rows: 1 };
      ({ endsEarly } = judge(position, found, recipe));
      counters.push(position.evaluationsWithoutGain);
    }
    expect([position.step, endsEarly, counters]).toEqual([run.stepsRun, run.stoppedEarly, run.counters]);
    expect(position.best).toEqual(run.bestStep === null ? null : { step: run.bestStep, metric: number(run.bestValue) });
  });

  it('goes on without patience, however long there is no gain', () => {
    const position = startPosition(1);
    const recipe = { metric_for_best_model: 'eval_loss' as const, early_stopping_patience: null, early_stopping_threshold: 0 };
    for (let i = 0; i < 50; i++) {
      position.step++;
      expect(judge(position, { lossNats: 2 + i, accuracy: 0, tokens: 1, rows: 1 }, recipe).endsEarly).toBe(false);
    }
    expect(position.evaluationsWithoutGain).toBe(49);
  });
});
