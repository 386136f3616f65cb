/** A change that would make a run fit, as a sentence. Pure. */
import type { Remedy } from '#protocol/trainer.ts';
import type { Text } from '#studio/text/en.ts';

export function remedyWords({ change, totalBytes, insteadOfBytes }: Remedy, text: Text['train']['remedies']): string {
  const changes = Object.entries(change).map(([field, value]) => text.changes[field]?.(value) ?? text.other(field, value));
  return text.sentence(changes, totalBytes, insteadOfBytes);
}
