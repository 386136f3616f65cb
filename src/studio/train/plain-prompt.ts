/** A prompt as a person reads it. */

/** Without what the tokenizer puts in front of every text, and without white space at its ends. */
export function plainPrompt(prompt: string, bosToken: string | null): string {
  return (bosToken !== null && prompt.startsWith(bosToken) ? prompt.slice(bosToken.length) : prompt).trim();
}
