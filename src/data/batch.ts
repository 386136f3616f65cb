/** The shapes that leave the data layer: one tokenised row, one packed micro-batch. Knows no tokenizer and no GPU. */
import { invariant } from '#base/errors.ts';

/** One tokenised row. lossMask[i] = 1 when token i is predicted with loss (so i >= 1); its hidden state is token i-1's. */
export interface Sequence {
  tokens: Uint32Array;
  lossMask: Uint8Array;
}

/** A packed micro-batch of `capacity` tokens C, a structure of arrays; what is past the counts is padding. */
export interface Batch {
  /** C */
  capacity: number;
  /** Real tokens, <= C. */
  tokenCount: number;
  /** [C] padding: 0 */
  tokens: Uint32Array;
  /** [C] position inside its segment, from 0; padding: 0 */
  positions: Uint32Array;
  /** [C] index of the first token of i's segment; padding: i */
  segmentStart: Uint32Array;
  /** [C] index past the last token of i's segment; padding: i + 1 */
  segmentEnd: Uint32Array;
  /** <= C */
  lossRowCount: number;
  /** [C] index of the token whose hidden state predicts; padding: 0 */
  lossRows: Uint32Array;
  /** [C] token id to be predicted; padding: 0 */
  targets: Uint32Array;
  /** [C] usually 1; padding: 0 */
  lossWeights: Float32Array;
}

/** Number of tokens of `sequence` that are predicted with loss. */
export function lossTokenCount(sequence: Sequence): number {
  let count = 0;
  for (const bit of sequence.lossMask) count += bit;
  return count;
}

/** Builds a sequence from its tokens and a rule for which carry loss. The first token has nothing before it to predict it, so never does. */
export function makeSequence(tokens: Uint32Array, hasLoss: (index: number) => boolean): Sequence {
  const lossMask = new Uint8Array(tokens.length);
  for (let i = 1; i < tokens.length; i++) lossMask[i] = hasLoss(i) ? 1 : 0;
  return { tokens, lossMask };
}

/** Throws `internal` unless `sequence` is one that the contract allows. */
export function checkSequence(sequence: Sequence): void {
  const { tokens, lossMask } = sequence;
  invariant(tokens.length > 0, 'a sequence has no tokens');
  invariant(lossMask.length === tokens.length, `a sequence has ${tokens.length} tokens and a loss mask of ${lossMask.length}`);
  invariant(lossMask[0] === 0, 'the first token of a sequence carries loss, but nothing predicts it');
  invariant(
    lossMask.every((bit) => bit <= 1),
    'a loss mask holds something other than 0 and 1',
  );
}
