/** `{% break %}` and `{% continue %}` in a parsed template, put as conditions: the library forgets what the iteration had written. */

export interface Node {
  type: string;
  [key: string]: unknown;
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

const identifier = (value: string): Node => ({ type: 'Identifier', value });
const set = (flag: string, value: boolean): Node => ({
  type: 'Set',
  assignee: identifier(flag),
  value: identifier(String(value)),
  body: [],
});
const unless = (flag: string, body: Node[]): Node => ({
  type: 'If',
  test: { type: 'UnaryExpression', operator: { type: 'Identifier', value: 'not' }, argument: identifier(flag) },
  body,
  alternate: [],
});

/**
 * The body of a loop in which nothing jumps: a jump sets a flag, and what comes after it runs unless the flag is set. Flags are variables
 * of the loop's scope, with names that no template can write. Inner loops must have been rewritten before.
 */
export function withoutJumps(body: Node[], depth: number): Node[] {
  if (!body.some(jumps)) return body;
  const flags = { left: `left loop ${depth}`, skipped: `skipped in loop ${depth}` };
  return [unless(flags.left, [set(flags.skipped, false), ...guarded(body, flags)])];
}

function jumps(statement: Node): boolean {
  if (statement.type === 'Break' || statement.type === 'Continue') return true;
  return statement.type === 'If' && [...(statement.body as Node[]), ...(statement.alternate as Node[])].some(jumps);
}

function guarded(body: Node[], flags: { left: string; skipped: string }): Node[] {
  const at = body.findIndex(jumps);
  if (at < 0) return body;
  const statement = body[at];
  const before = body.slice(0, at);
  if (statement.type === 'Continue') return [...before, set(flags.skipped, true)];
  if (statement.type === 'Break') return [...before, set(flags.skipped, true), set(flags.left, true)];
  const inside = {
    ...statement,
    body: guarded(statement.body as Node[], flags),
    alternate: guarded(statement.alternate as Node[], flags),
  };
  const after = guarded(body.slice(at + 1), flags);
  return [...before, inside, ...(after.length === 0 ? [] : [unless(flags.skipped, after)])];
}
