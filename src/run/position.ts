/** Where a run stands between two steps, besides its numbers on the device: what a checkpoint keeps of it. Plain data. */
import type { RowOrderState } from '#data/split.ts';
import type { StepReport } from '#engine/train/trainer.ts';
import type { BestMetric, Recipe } from '#recipe/recipe.ts';
import type { Evaluation } from '#run/evaluation.ts';

/** An entry of transformers' `log_history`. */
export type LogEntry =
  | { step: number; epoch: number; loss: number; grad_norm: number; learning_rate: number }
  | { step: number; epoch: number; eval_loss: number; eval_mean_token_accuracy: number };

export interface Best {
  step: number;
  metric: number;
}

export interface RunPosition {
  step: number;
  epoch: number;
  order: RowOrderState;
  log: LogEntry[];
  best: Best | null;
  /** Evaluations since one that was better than the best by more than the threshold. */
  evaluationsWithoutGain: number;
  /** The step of the last evaluation; 0: none yet. */
  evaluatedAt: number;
}

export function startPosition(seed: number): RunPosition {
  const order = { epoch: 0, index: 0, seed };
  return { step: 0, epoch: 0, order, log: [], best: null, evaluationsWithoutGain: 0, evaluatedAt: 0 };
}

export function stepEntry({ step, epoch, lossNats, gradientNorm, learningRate }: StepReport): LogEntry {
  return { step, epoch, loss: lossNats, grad_norm: gradientNorm, learning_rate: learningRate };
}

export function evaluationEntry({ step, epoch }: RunPosition, { lossNats, accuracy }: Evaluation): LogEntry {
  return { step, epoch, eval_loss: lossNats, eval_mean_token_accuracy: accuracy };
}

/** The loss of the last step that was logged. */
export function lastLoss({ log }: RunPosition): number | null {
  const entry = log.findLast((one) => 'loss' in one);
  return entry && 'loss' in entry ? entry.loss : null;
}

const metricOf = (metric: BestMetric, { lossNats, accuracy }: Evaluation): number => (metric === 'eval_loss' ? lossNats : accuracy);

type BestFields = Pick<Recipe, 'metric_for_best_model' | 'early_stopping_patience' | 'early_stopping_threshold'>;

/**
 * What an evaluation changes: the best, and how long there was no gain.
 * @source transformers 5.24 trainer_callback.py (EarlyStoppingCallback.check_metric_value, before the best is set), trainer.py
 * (_determine_best_metric)
 */
export function judge(position: RunPosition, found: Evaluation, recipe: BestFields): { isBest: boolean; endsEarly: boolean } {
  const metric = metricOf(recipe.metric_for_best_model, found);
  const isLess = recipe.metric_for_best_model === 'eval_loss';
  const best = position.best?.metric ?? (isLess ? Infinity : -Infinity);
  const gain = isLess ? best - metric : metric - best;
  const isFirst = position.evaluatedAt === 0;
  position.evaluationsWithoutGain = isFirst || gain > recipe.early_stopping_threshold ? 0 : position.evaluationsWithoutGain + 1;
  position.evaluatedAt = position.step;
  const isBest = gain > 0;
  if (isBest) position.best = { step: position.step, metric };
  const patience = recipe.early_stopping_patience;
  return { isBest, endsEarly: patience !== null && position.evaluationsWithoutGain >= patience };
}
