/** What a chat template says by itself, before anything that was asked. Knows templates by a renderer. */
import type { ChatRenderer } from '#data/drafts.ts';

/** Texts that no template has. */
const [SYSTEM, USER] = ['\ue000system\ue001', '\ue000user\ue001'];

/**
 * The system prompt that a template puts in where a conversation has none; null where it puts in none, or its text cannot be told apart.
 * It is what stands in a conversation without a system message in the place of one.
 * @throws AppError `template/invalid` where there is no chat template, or it fails.
 */
export function hiddenPrompt(renderChat: ChatRenderer): string | null {
  const user = { role: 'user', content: USER };
  const without = renderChat([user], { addGenerationPrompt: false });
  let given: string;
  try {
    given = renderChat([{ role: 'system', content: SYSTEM }, user], { addGenerationPrompt: false });
  } catch {
    // A template that refuses system messages, as Gemma's does.
    return null;
  }
  const at = given.indexOf(SYSTEM);
  if (at < 0) return null;
  const [before, after] = [given.slice(0, at), given.slice(at + SYSTEM.length)];
  if (!without.startsWith(before) || !without.endsWith(after) || without.length <= before.length + after.length) return null;
  return without.slice(before.length, without.length - after.length).trim() || null;
}
