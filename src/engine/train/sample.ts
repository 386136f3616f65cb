/** Chooses the next token from logits on the CPU: greedy, or drawn from what temperature, top-k and top-p leave. Knows no model. */
import { AppError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';

/** transformers' names and meaning. */
export interface SamplingOptions {
  /** 0 or less: the highest logit is taken, and top-k and top-p do not matter. */
  temperature: number;
  /** Keeps the k highest logits and what ties with the last of them; 0: all. */
  topK?: number;
  /** Keeps the most probable tokens until their probabilities add up to this; 1: all. */
  topP?: number;
  /** Divides positive logits of tokens that occurred, multiplies negative ones; 1: none. */
  repetitionPenalty?: number;
}

/** Tokens that may be drawn, ascending, and their probabilities. */
export interface Candidates {
  ids: number[];
  probabilities: number[];
}

/**
 * A token for logits [vocab]. `previous`: the sequence so far, prompt included, for the repetition penalty.
 * @throws AppError `train/not-finite` when no logit is a number to choose by.
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, random: Random, previous: ArrayLike<number> = []): number {
  if (options.temperature <= 0) return highest(penalised(logits, options.repetitionPenalty ?? 1, previous)).index;
  const { ids, probabilities } = candidates(logits, options, previous);
  let rest = random.uniform() * probabilities.reduce((sum, p) => sum + p, 0);
  for (const [i, p] of probabilities.entries()) {
    rest -= p;
    if (rest < 0) return ids[i];
  }
  return ids[ids.length - 1];
}

/**
 * What is left of logits [vocab] after repetition penalty, temperature (above 0), top-k and top-p, in this order; float64.
 * @source transformers GenerationMixin._get_logits_processor, generation/logits_process.py
 */
export function candidates(logits: Float32Array, options: SamplingOptions, previous: ArrayLike<number> = []): Candidates {
  const { temperature, topK = 0, topP = 1 } = options;
  const scores = penalised(logits, options.repetitionPenalty ?? 1, previous).map((score) => score / temperature);
  const top = highest(scores).score;
  const least = topK > 0 && topK < scores.length ? kthHighest(scores, topK) : -Infinity;
  let ids: number[] = [];
  for (let id = 0; id < scores.length; id++) if (scores[id] >= least && scores[id] > -Infinity) ids.push(id);
  let weights = ids.map((id) => Math.exp(scores[id] - top));
  if (topP < 1) {
    const kept = nucleus(weights, topP);
    ids = ids.filter((_, i) => kept[i]);
    weights = weights.filter((_, i) => kept[i]);
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { ids, probabilities: weights.map((weight) => weight / total) };
}

function penalised(logits: Float32Array, penalty: number, previous: ArrayLike<number>): Float64Array {
  const scores = Float64Array.from(logits);
  if (penalty === 1) return scores;
  for (const id of new Set(Array.from(previous))) scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  return scores;
}

/** The first of the highest scores. */
function highest(scores: Float64Array): { index: number; score: number } {
  let index = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[index]) index = i;
  const score = scores[index];
  if (!Number.isFinite(score))
    throw new AppError('train/not-finite', `the highest logit is ${score}, a finite number was expected`, { found: score });
  return { index, score };
}

/** The k-th highest score: a few are kept in ascending order while the others go by. */
function kthHighest(scores: Float64Array, k: number): number {
  const best = scores.slice(0, k).sort();
  for (let i = k; i < scores.length; i++) {
    const score = scores[i];
    if (score <= best[0]) continue;
    let at = 1;
    for (; at < k && best[at] < score; at++) best[at - 1] = best[at];
    best[at - 1] = score;
  }
  return best[0];
}

/**
 * Which weights top-p keeps: from the smallest up, those are left out whose running sum is at most 1 - p of the total; never the largest.
 * Of equal weights at the edge the lower tokens are left out (torch's sort, which is not stable, leaves that open).
 */
function nucleus(weights: readonly number[], topP: number): boolean[] {
  const sorted = Float64Array.from(weights).sort();
  const cut = (1 - topP) * sorted.reduce((sum, weight) => sum + weight, 0);
  let leftOut = 0;
  for (let sum = sorted[0]; sum <= cut && leftOut < sorted.length - 1; sum += sorted[leftOut]) leftOut++;
  const least = sorted[leftOut];
  let ties = leftOut - sorted.indexOf(least);
  return weights.map((weight) => weight > least || (weight === least && ties-- <= 0));
}
