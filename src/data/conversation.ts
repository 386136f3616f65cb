/** Conversations inside rows: reading messages from a value, in the two spellings that datasets have. Knows no chat template. */
import { badValue, type RowSet } from '#data/rows.ts';

export interface ChatMessage {
  role: string;
  content: string;
  /** What else a template may read, such as `name` or `reasoning_content`. */
  readonly [field: string]: unknown;
}

/** ShareGPT's names for who speaks, and the roles that chat templates know. */
const SHAREGPT_ROLES: Record<string, string> = { human: 'user', gpt: 'assistant' };

/** Whether a value has the look of a conversation: a list whose first element is a message. */
export function looksLikeMessages(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  const first: unknown = value[0];
  return typeof first === 'object' && first !== null && ('role' in first || 'from' in first);
}

/**
 * Messages from a column: `[{role, content}]` with whatever other fields they have, or ShareGPT's `[{from, value}]` with `human` and
 * `gpt` for user and assistant.
 * @throws AppError `data/invalid` naming row, column and message.
 */
export function readMessages(set: Pick<RowSet, 'file' | 'further'>, row: number, column: string, value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw badValue(set, row, column, value, 'a list of messages');
  return value.map((message: unknown, i) => {
    const place = `${column}[${i}]`;
    if (typeof message !== 'object' || message === null) throw badValue(set, row, place, message, 'a message with role and content');
    const fields = message as Record<string, unknown>;
    const shareGpt = !('role' in fields) && 'from' in fields;
    const [roleKey, contentKey] = shareGpt ? ['from', 'value'] : ['role', 'content'];
    const role = fields[roleKey];
    const content = fields[contentKey];
    if (typeof role !== 'string') throw badValue(set, row, `${place}.${roleKey}`, role, 'text');
    if (typeof content !== 'string') throw badValue(set, row, `${place}.${contentKey}`, content, 'text');
    return shareGpt ? { role: SHAREGPT_ROLES[role] ?? role, content } : { ...fields, role, content };
  });
}
