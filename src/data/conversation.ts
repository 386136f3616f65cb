/** Conversations inside rows: reading messages and tools from values, in the spellings that datasets have. Knows no chat template. */
import { badValue, type RowSet } from '#data/rows.ts';

export interface ChatMessage {
  role: string;
  content: string;
  /** What else a template may read, such as `name`, `tool_calls` or `reasoning_content`. */
  readonly [field: string]: unknown;
}

export interface Conversation {
  messages: ChatMessage[];
  /** For each message whether it is learnt where it is the assistant's: not with OpenAI's `weight: 0`. */
  isLearnt: boolean[];
  /** Tools as JSON schemas; null: none. */
  tools: readonly object[] | null;
}

type Place = Pick<RowSet, 'file' | 'further'>;

/** ShareGPT's names for who speaks, and the roles that chat templates know. */
const SHAREGPT_ROLES: Record<string, string> = {
  human: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  function_call: 'assistant',
  observation: 'tool',
  function: 'tool',
};

/** The role that a template knows for what a message calls its speaker. */
export function roleOf(name: string): string {
  return Object.hasOwn(SHAREGPT_ROLES, name) ? SHAREGPT_ROLES[name] : name;
}

/** Whether a value has the look of a conversation: a list whose first element is a message. */
export function looksLikeMessages(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const first: unknown = value[0];
  return typeof first === 'object' && first !== null && ('role' in first || 'from' in first);
}

/**
 * Messages from a column: `[{role, content}]` with whatever other fields they have, or ShareGPT's `[{from, value}]`. Content may be a
 * list of text parts, and is empty beside tool calls. Arguments of a call that are the JSON of an object become that object, as templates
 * want them; a `function_call` becomes a tool call.
 * @throws AppError `data/invalid` naming row, column and message.
 */
export function readMessages(set: Place, row: number, column: string, value: unknown): ChatMessage[] {
  return readConversation(set, row, column, value).messages;
}

/** The same with what is said beside the messages. `tools` is the value of the column that lists them, as a list or as its JSON. */
export function readConversation(set: Place, row: number, column: string, value: unknown, tools?: unknown): Conversation {
  if (!Array.isArray(value) || value.length === 0) throw badValue(set, row, column, value, 'a list of messages');
  const isLearnt = value.map((message: unknown) => !(isRecord(message) && message.weight === 0));
  const messages = value.map((message: unknown, i) => readMessage(set, row, `${column}[${i}]`, message));
  return { messages, isLearnt, tools: readTools(set, row, tools) };
}

function readMessage(set: Place, row: number, place: string, message: unknown): ChatMessage {
  if (!isRecord(message)) throw badValue(set, row, place, message, 'a message with role and content');
  const shareGpt = !('role' in message) && 'from' in message;
  const [roleKey, contentKey] = shareGpt ? ['from', 'value'] : ['role', 'content'];
  const role = message[roleKey];
  if (typeof role !== 'string') throw badValue(set, row, `${place}.${roleKey}`, role, 'text');
  const calls = toolCalls(message) ?? (role === 'function_call' ? callsOfText(message[contentKey]) : null);
  const content = calls !== null && role === 'function_call' ? '' : textOf(message[contentKey], calls !== null);
  if (content === null) throw badValue(set, row, `${place}.${contentKey}`, message[contentKey], 'text');
  const { weight: _, function_call: __, ...fields } = message;
  const read = shareGpt ? { role: roleOf(role), content } : { ...fields, role: role === 'function' ? 'tool' : role, content };
  return calls === null ? read : { ...read, tool_calls: calls };
}

/** A message's content as one text; null where it is none. */
function textOf(content: unknown, mayBeAbsent: boolean): string | null {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return mayBeAbsent ? '' : null;
  if (!Array.isArray(content)) return null;
  const parts = content.map((part: unknown) =>
    isRecord(part) && part.type === 'text' && typeof part.text === 'string' ? part.text : null,
  );
  return parts.includes(null) ? null : parts.join('');
}

function toolCalls({ tool_calls: calls, function_call: call }: Record<string, unknown>): unknown[] | null {
  if (Array.isArray(calls) && calls.length > 0) return calls.map(withArguments);
  return isRecord(call) ? [withArguments({ type: 'function', function: call })] : null;
}

/** ShareGPT's `function_call`: the JSON of one call or of a list; null where it is something else. */
function callsOfText(text: unknown): unknown[] | null {
  const value = parsed(text);
  const calls: unknown[] = Array.isArray(value) ? value : [value];
  if (!calls.every((call) => isRecord(call) && typeof call.name === 'string')) return null;
  return calls.map((call) => withArguments({ type: 'function', function: call }));
}

function withArguments(call: unknown): unknown {
  if (!isRecord(call) || !isRecord(call.function)) return call;
  const given = parsed(call.function.arguments);
  return isRecord(given) ? { ...call, function: { ...call.function, arguments: given } } : call;
}

function readTools(set: Place, row: number, value: unknown): readonly object[] | null {
  if (value === null || value === undefined || value === '') return null;
  const tools = typeof value === 'string' ? parsed(value) : value;
  if (!Array.isArray(tools) || !tools.every(isRecord)) throw badValue(set, row, 'tools', value, 'a list of tools, or its JSON');
  return tools.length === 0 ? null : tools;
}

/** The value of a JSON text; what is no text, or no JSON, stays as it is. */
function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const REASONING_FIELDS = ['reasoning_content', 'thinking', 'reasoning'] as const;
/** The end of a reasoning block that stands in the content itself, as Qwen and DeepSeek write it. */
const REASONING_END = '</think>';

/** Whether an assistant's message says what it thought before it answered. */
export function hasReasoning(message: ChatMessage): boolean {
  return reasoningOf(message) !== '';
}

/** What an assistant's message says that it thought; empty where it says nothing. */
export function reasoningOf(message: ChatMessage): string {
  const field = REASONING_FIELDS.map((name) => message[name]).find((value) => typeof value === 'string' && value.trim() !== '');
  return typeof field === 'string' ? field.trim() : blockText(message.content);
}

/** The message without what it thought. */
export function withoutReasoning(message: ChatMessage): ChatMessage {
  const rest = Object.fromEntries(Object.entries(message).filter(([field]) => !(REASONING_FIELDS as readonly string[]).includes(field)));
  const end = message.content.lastIndexOf(REASONING_END);
  const content = end < 0 ? message.content : message.content.slice(end + REASONING_END.length).trimStart();
  return { ...rest, role: message.role, content };
}

function blockText(content: string): string {
  const end = content.lastIndexOf(REASONING_END);
  return end < 0
    ? ''
    : content
        .slice(0, end)
        .replace(/^\s*<think>/, '')
        .trim();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
