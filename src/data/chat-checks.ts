/** What is wrong with chat rows, by OpenAI's own checks before a fine-tuning job. Knows messages as the file has them, no template. */
import { roleOf } from '#data/conversation.ts';

export type ChatProblem =
  /** The row's value is no list of messages, or a message is no object. */
  | 'chat-data-type'
  /** A message lacks its role or its content. */
  | 'chat-missing-key'
  /** A message has a key that no chat model knows. */
  | 'chat-unknown-key'
  | 'chat-unknown-role'
  /** A message has no text, and calls no tool. */
  | 'chat-missing-content'
  /** Nobody answers. */
  | 'chat-no-assistant'
  /** Nobody asks. */
  | 'chat-no-user';

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
/** OpenAI's, and what open models keep of what was thought. */
const KEYS = new Set(['role', 'content', 'name', 'weight', 'function_call', 'tool_calls', 'tool_call_id', 'refusal', 'audio']);
const REASONING_KEYS = ['reasoning_content', 'reasoning', 'thinking'];
for (const key of REASONING_KEYS) KEYS.add(key);
const SHAREGPT_KEYS = new Set(['from', 'value', 'weight', 'name']);

export interface ChatCheck {
  problems: Set<ChatProblem>;
  /** Keys and roles that are not known. */
  unknownKeys: string[];
  unknownRoles: string[];
}

/**
 * Checks one row's conversation.
 * @source https://cookbook.openai.com/examples/chat_finetuning_data_prep (format error checks), with the keys and roles that tools brought
 */
export function checkChat(value: unknown): ChatCheck {
  const check: ChatCheck = { problems: new Set(), unknownKeys: [], unknownRoles: [] };
  if (!Array.isArray(value) || value.length === 0) {
    check.problems.add('chat-data-type');
    return check;
  }
  const roles = new Set<string>();
  for (const message of value as unknown[]) {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      check.problems.add('chat-data-type');
      continue;
    }
    const role = checkMessage(message as Record<string, unknown>, check);
    if (role !== null) roles.add(role);
  }
  if (!roles.has('assistant')) check.problems.add('chat-no-assistant');
  if (!roles.has('user')) check.problems.add('chat-no-user');
  return check;
}

function checkMessage(message: Record<string, unknown>, { problems, unknownKeys, unknownRoles }: ChatCheck): string | null {
  const isShareGpt = !('role' in message) && 'from' in message;
  const [roleKey, contentKey, known] = isShareGpt ? ['from', 'value', SHAREGPT_KEYS] : ['role', 'content', KEYS];
  const calls = Array.isArray(message.tool_calls) || (typeof message.function_call === 'object' && message.function_call !== null);
  if (!(roleKey in message) || !(contentKey in message || calls)) problems.add('chat-missing-key');
  // Columns of a table have every key in every row: one without a value says nothing.
  for (const [key, held] of Object.entries(message)) {
    if (known.has(key) || held === null || held === undefined) continue;
    problems.add('chat-unknown-key');
    unknownKeys.push(key);
  }
  const content = message[contentKey];
  const isSaid = typeof content === 'string' ? content !== '' : Array.isArray(content) && content.length > 0;
  if (!isSaid && !calls && contentKey in message) problems.add('chat-missing-content');
  const role = message[roleKey];
  if (typeof role !== 'string') return null;
  const read = isShareGpt ? roleOf(role) : role;
  if (ROLES.has(read)) return read;
  problems.add('chat-unknown-role');
  unknownRoles.push(role);
  return null;
}
