import { expect, it } from 'vitest';
import { seriesCsv } from '#studio/train/chart-files.ts';

it('writes every step with what was measured at it, and leaves empty what was not', () => {
  const step = (n: number, lossNats: number) => ({ step: n, lossNats, gradientNorm: 0.5, learningRate: 1e-3, tokensPerSecond: 100 });
  const evaluation = { epoch: 0, lossNats: 1.5, accuracy: 0.25, tokens: 9, rows: 30, isBest: true };
  const csv = seriesCsv(
    [step(1, 0), step(2, Number.NaN)],
    [
      { ...evaluation, step: 0 },
      { ...evaluation, step: 2 },
    ],
  );
  expect(csv.split('\n')).toEqual([
    'step,loss,perplexity,grad_norm,learning_rate,tokens_per_second,eval_loss,eval_mean_token_accuracy',
    '0,,,,,,1.5,0.25',
    '1,0,1,0.5,0.001,100,,',
    '2,NaN,NaN,0.5,0.001,100,1.5,0.25',
    '',
  ]);
});
