/** Chat templates: conversations to the text that a model was trained to see, and where in it the assistant speaks. Knows no tokens. */
import { AppError } from '#base/errors.ts';
import { TemplateProgram } from '#tokenizer/template-program.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export interface ChatMessage {
  role: string;
  content?: unknown;
  /** `tool_calls`, `reasoning_content` and whatever else the template reads. */
  readonly [field: string]: unknown;
}

export interface RenderOptions {
  /** Ends the text with the opening of an assistant's message. */
  addGenerationPrompt?: boolean;
  /** Tools as JSON schemas. */
  tools?: readonly object[] | null;
  documents?: readonly object[] | null;
  /** Further variables, such as `enable_thinking`; they go before special tokens of the same name. */
  extra?: Readonly<Record<string, unknown>>;
}

/** An assistant's message in a rendered text: characters `[start, end)`, in UTF-16 code units. */
export interface AssistantSpan {
  /** Its index among the messages, or -1 where the template itself marks its spans. */
  message: number;
  start: number;
  end: number;
}

/** Noncharacters that mark the ends of `{% generation %}`; text must not have them. */
const GENERATION_START = '\ufdd0';
const GENERATION_END = '\ufdd1';
const GENERATION_TAG = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/** Renders as transformers 5.24's `apply_chat_template` does. */
export class ChatTemplate {
  readonly #program: TemplateProgram;
  /** The same with marks around what is generated; null where the template has no `{% generation %}`. */
  readonly #marked: TemplateProgram | null;
  readonly #specialTokens: Readonly<Record<string, string>>;

  /** @throws AppError `template/invalid` with the line where the source is not a template */
  constructor(source: string, options: { specialTokens?: Readonly<Record<string, string>>; name?: string; now?: () => Date } = {}) {
    const name = options.name ?? 'chat template';
    this.#program = new TemplateProgram(name, source, options.now);
    this.#specialTokens = options.specialTokens ?? {};
    // An {% if %} in its place keeps what whitespace control does to a tag.
    const marked = source.replaceAll(GENERATION_TAG, (_, before: string, end: string | undefined, after: string) => {
      return `{%${before} if true %}${end === undefined ? GENERATION_START : GENERATION_END}{% endif ${after}%}`;
    });
    this.#marked = marked === source ? null : new TemplateProgram(name, marked, options.now);
  }

  /** @throws AppError `template/invalid` with line and reason; the reason may be the template's own, as for roles that do not alternate */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    return this.#program.render(this.#variables(messages, options));
  }

  /**
   * The text of a conversation and the spans in it that the assistant would have to write. Where the template marks them with
   * `{% generation %}`, those, as transformers' `return_assistant_tokens_mask` takes them. Elsewhere a message's span goes from the end
   * of what is rendered, with the generation prompt, for the messages before it, to the end of what is rendered with it: its text and
   * what closes it.
   * @throws AppError `template/invalid` where a prefix of the conversation renders to no prefix of its text, so that no span can be told
   */
  assistantSpans(
    messages: readonly ChatMessage[],
    options: Omit<RenderOptions, 'addGenerationPrompt'> = {},
  ): { text: string; spans: AssistantSpan[] } {
    if (this.#marked !== null) return this.#generationSpans(this.#marked, messages, options);
    const text = this.render(messages, options);
    const spans: AssistantSpan[] = [];
    for (const [i, { role }] of messages.entries()) {
      if (role !== 'assistant') continue;
      if (i === 0) throw spanError(i, 'it is the first message, so no text before it can be rendered');
      const before = this.render(messages.slice(0, i), { ...options, addGenerationPrompt: true });
      const through = this.render(messages.slice(0, i + 1), options);
      requirePrefix(i, 'the messages before it, with the generation prompt,', before, text);
      requirePrefix(i, 'the messages up to it', through, text);
      if (through.length < before.length) throw spanError(i, 'it renders to less than the generation prompt');
      spans.push({ message: i, start: before.length, end: through.length });
    }
    return { text, spans };
  }

  #generationSpans(
    program: TemplateProgram,
    messages: readonly ChatMessage[],
    options: RenderOptions,
  ): { text: string; spans: AssistantSpan[] } {
    const variables = this.#variables(messages, options);
    if (/[\ufdd0\ufdd1]/.test(JSON.stringify(variables))) {
      throw new AppError(
        'template/invalid',
        'chat template: U+FDD0 or U+FDD1 was found in a message, text without noncharacters was expected',
      );
    }
    const spans: AssistantSpan[] = [];
    let text = '';
    for (const part of program.render(variables).split(/(?=[\ufdd0\ufdd1])/)) {
      if (part.startsWith(GENERATION_START)) spans.push({ message: -1, start: text.length, end: text.length });
      else if (part.startsWith(GENERATION_END)) (spans.at(-1) as AssistantSpan).end = text.length;
      text += part.replace(/^[\ufdd0\ufdd1]/, '');
    }
    return { text, spans };
  }

  #variables(messages: readonly ChatMessage[], options: RenderOptions): Record<string, unknown> {
    if (messages.length === 0) throw new AppError('template/invalid', 'chat template: no messages were found, at least one was expected');
    return {
      ...this.#specialTokens,
      messages: messages.map(normalized),
      tools: options.tools ?? null,
      documents: options.documents ?? null,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      ...options.extra,
    };
  }
}

/**
 * The template of a tokenizer; of several, `tool_use` where there are tools, or else `default`.
 * @throws AppError `template/invalid` where it has none
 */
export function chatTemplateOf(tokenizer: Tokenizer, options: { withTools?: boolean; now?: () => Date } = {}): ChatTemplate {
  const { chatTemplates } = tokenizer;
  const source = (options.withTools ? chatTemplates.tool_use : undefined) ?? tokenizer.chatTemplate;
  if (source === null) {
    const found = Object.keys(chatTemplates).join(', ') || 'no chat template';
    throw new AppError('template/invalid', `tokenizer: ${found} was found, a chat template named "default" was expected`, { found });
  }
  return new ChatTemplate(source, { specialTokens: tokenizer.specialTokens, now: options.now });
}

const REASONING_FIELDS = ['reasoning_content', 'thinking', 'reasoning'] as const;

/**
 * A message without its null fields, its reasoning under each name that templates read.
 * @source transformers 5.24 utils/chat_template_utils.py (_normalize_chat_messages, _alias_reasoning_fields)
 */
function normalized(message: ChatMessage): Record<string, unknown> {
  const fields = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined));
  const reasoning = REASONING_FIELDS.map((name) => fields[name]).find((value) => value !== undefined);
  return reasoning === undefined ? fields : { thinking: reasoning, ...fields, reasoning_content: reasoning };
}

function requirePrefix(message: number, what: string, prefix: string, text: string): void {
  if (text.startsWith(prefix)) return;
  let at = 0;
  while (at < prefix.length && prefix[at] === text[at]) at++;
  const [found, expected] = [prefix, text].map((each) => JSON.stringify(each.slice(Math.max(0, at - 10), at + 30)));
  const reason = `${what} render to no prefix of the whole text: at character ${at} ${found} was found, ${expected} was expected`;
  throw spanError(message, reason);
}

function spanError(message: number, reason: string): AppError {
  return new AppError('template/invalid', `chat template, message ${message}: the assistant's text cannot be told apart: ${reason}`, {
    message,
  });
}
