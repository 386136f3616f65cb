/** Loss and accuracy of a run's adapter on rows that it does not train on. Knows no storage and no page. */
import { AppError } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import type { Training } from '#engine/train/training.ts';

/** What a measurement on held-out rows found. */
export interface Evaluation {
  /** transformers' eval_loss, in nats: the mean over batches of each one's mean over loss tokens, weighted by the batches' rows. */
  lossNats: number;
  /** TRL's eval_mean_token_accuracy: the mean over batches of the share of loss tokens whose target had the highest logit. */
  accuracy: number;
  /** Tokens that carry loss. */
  tokens: number;
  rows: number;
}

/** Rows that are measured, and how many of the dataset's rows they stand for (fewer sequences where rows are joined). */
export interface ValidationRows {
  sequences: readonly Sequence[];
  rowCount: number;
}

/** Under so many rows a difference between two evaluations says more of the rows than of the model. */
export const FEWEST_TO_JUDGE = 20;

/**
 * Measures rows, batch by batch in their order; a batch's rows are packed among themselves. Nothing is changed on the device but its scratch.
 * @param onBatch called after each batch; may throw to end it.
 * @throws AppError `data/no-loss` when no row has a token that carries loss.
 * @source transformers 5.24 trainer.py (evaluation_loop): the loss of a batch is repeated for each of its rows before the mean
 * @source trl 1.16 sft_trainer.py (compute_loss, log): accuracies are averaged over batches, however short the last one is
 */
export async function evaluateRows(
  training: Training,
  sequences: readonly Sequence[],
  batchRows: number,
  onBatch: (done: number, total: number) => void = () => {},
): Promise<Evaluation> {
  const { evaluateCapacities, capacities } = training.plan.options;
  let weighted = 0;
  let rows = 0;
  let tokens = 0;
  let accuracies = 0;
  let measured = 0;
  for (let start = 0; start < sequences.length; start += batchRows) {
    const group = sequences.slice(start, start + batchRows);
    const { batches, lossTokens } = packStep(group, evaluateCapacities ?? capacities);
    if (lossTokens > 0) {
      const found = await training.evaluate(batches, lossTokens);
      weighted += found.lossNats * group.length;
      rows += group.length;
      tokens += lossTokens;
      accuracies += found.correctTokens / lossTokens;
      measured++;
    }
    onBatch(Math.min(start + batchRows, sequences.length), sequences.length);
  }
  if (rows === 0) throw new AppError('data/no-loss', 'none of the held-out rows has a token that carries loss', { found: 0, expected: 1 });
  return { lossNats: weighted / rows, accuracy: accuracies / measured, tokens, rows };
}
