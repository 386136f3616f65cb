/** The tokenizer's chat template as the renderer that rows and prompts use. */
import type { ChatRenderer } from '#data/drafts.ts';
import { type ChatTemplate, chatTemplateOf } from '#tokenizer/chat-template.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/**
 * Compiles a template when it is first used: a model without one fails only where a conversation is rendered. Where a tokenizer has a
 * template for tools, conversations with tools are rendered with it. Thinking is told under both names that templates read.
 */
export function chatRenderer(tokenizer: Tokenizer): ChatRenderer {
  const templates = new Map<boolean, ChatTemplate>();
  return (messages, { addGenerationPrompt, tools = null, thinking }) => {
    const withTools = tools !== null;
    const template = templates.get(withTools) ?? chatTemplateOf(tokenizer, { withTools });
    templates.set(withTools, template);
    const extra = thinking === undefined ? {} : { enable_thinking: thinking, thinking };
    return template.render(messages, { addGenerationPrompt, tools, extra });
  };
}
