/** Perplexity from a mean loss. Knows numbers alone. */

/**
 * exp(mean loss), the loss being cross-entropy in nats a token; Infinity past about 709 nats.
 * @source https://huggingface.co/docs/transformers/perplexity
 */
export function perplexity(meanLossNats: number): number {
  return Math.exp(meanLossNats);
}
