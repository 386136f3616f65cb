/** The tokenizer's chat template as the renderer that rows and prompts use. */
import type { ChatRenderer } from '#data/drafts.ts';
import { type ChatTemplate, chatTemplateOf } from '#tokenizer/chat-template.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Compiles the template when it is first used: a model without one fails only where a conversation is rendered. */
export function chatRenderer(tokenizer: Tokenizer): ChatRenderer {
  let template: ChatTemplate | undefined;
  return (messages, options) => (template ??= chatTemplateOf(tokenizer)).render(messages, options);
}
