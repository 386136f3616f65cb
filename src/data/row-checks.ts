/** What all rows of a dataset look like under a mapping: what is empty, broken, doubled or no conversation. Knows no tokenizer. */
import { checkChat, type ChatProblem } from '#data/chat-checks.ts';
import { looksLikeMessages } from '#data/conversation.ts';
import { type OnTurn, textIdentity } from '#data/duplicates.ts';
import { noRows, noteRow, type RowFinding } from '#data/findings.ts';
import { mappedColumns, rowTexts } from '#data/hold-out.ts';
import type { DataMapping, LossOn } from '#data/mapping.ts';
import { own, type Row, type RowSet } from '#data/rows.ts';
import { parseTemplate, splitAtAnswer } from '#data/template.ts';
import { encodingProblem, type EncodingProblem, isEmptyField, labelsOf } from '#data/text-checks.ts';

export interface RowChecks {
  /** For each column that has empty fields. */
  emptyFields: { column: string; isMapped: boolean; found: RowFinding }[];
  emptyCompletions: RowFinding;
  exactDuplicates: RowFinding;
  encodings: { kind: EncodingProblem; example: string; found: RowFinding }[];
  chat: { kind: ChatProblem; found: RowFinding; unknown: string[] }[];
  labels: { column: string; values: { value: string; count: number }[] }[];
}

/** Rows between two calls of `onTurn`. */
const ROWS_PER_TURN = 256;
/** Unknown keys and roles that are named. */
const MOST_NAMED = 10;

/** @throws AppError `data/missing-column`, `template/invalid` */
export async function checkRows(set: RowSet, mapping: DataMapping, loss: LossOn, onTurn?: OnTurn): Promise<RowChecks> {
  const mapped = mappedColumns(set, mapping);
  const texts = rowTexts(set, mapping);
  const completion = loss === 'all' ? null : completionOf(set, mapping);
  const chats = chatColumns(mapping);
  const empty = set.columns.map((column) => ({ column, isMapped: mapped.includes(column), found: noRows() }));
  const checks: RowChecks = { emptyFields: [], emptyCompletions: noRows(), exactDuplicates: noRows(), encodings: [], chat: [], labels: [] };
  const seen = new Set<number>();
  const findChat = collector<ChatProblem>();
  for (const [index, row] of set.rows.entries()) {
    if (index % ROWS_PER_TURN === 0) await onTurn?.();
    for (const { column, found } of empty) if (isEmptyField(own(row, column))) noteRow(found, index);
    if (completion !== null && completion(row)) noteRow(checks.emptyCompletions, index);
    const said = texts(index);
    const identity = textIdentity(said);
    if (seen.has(identity)) noteRow(checks.exactDuplicates, index);
    seen.add(identity);
    noteEncoding(checks, index, said);
    for (const column of chats) {
      const { problems, unknownKeys, unknownRoles } = checkChat(own(row, column));
      for (const kind of problems) findChat.note(kind, index, kind === 'chat-unknown-role' ? unknownRoles : unknownKeys);
    }
  }
  checks.chat = findChat.all();
  checks.emptyFields = empty.filter(({ found }) => found.count > 0);
  for (const column of set.columns) {
    await onTurn?.();
    const values = labelsOf(set.rows, column);
    if (values !== null && values.length > 1) checks.labels.push({ column, values });
  }
  return checks;
}

function noteEncoding({ encodings }: RowChecks, index: number, texts: readonly string[]): void {
  for (const text of texts) {
    const problem = encodingProblem(text);
    if (problem === null) continue;
    let known = encodings.find(({ kind }) => kind === problem.kind);
    if (known === undefined) encodings.push((known = { ...problem, found: noRows() }));
    noteRow(known.found, index);
    return;
  }
}

function collector<Kind extends string>() {
  const found = new Map<Kind, { kind: Kind; found: RowFinding; unknown: string[] }>();
  return {
    note(kind: Kind, row: number, unknown: readonly string[]): void {
      const entry = found.get(kind) ?? { kind, found: noRows(), unknown: [] };
      found.set(kind, entry);
      noteRow(entry.found, row);
      for (const name of unknown) if (entry.unknown.length < MOST_NAMED && !entry.unknown.includes(name)) entry.unknown.push(name);
    },
    all: () => [...found.values()],
  };
}

/** The columns that have to be conversations. */
function chatColumns(mapping: DataMapping): string[] {
  return mapping.kind === 'messages' ? [mapping.column] : [];
}

/** Whether a row's answer is empty; null where the mapping has no answer. An answer that is not there at all is missing, not empty. */
function completionOf(set: RowSet, mapping: DataMapping): ((row: Row) => boolean) | null {
  const isBlank = (value: unknown): boolean => typeof value === 'string' && value.trim() === '';
  switch (mapping.kind) {
    case 'template': {
      const first = splitAtAnswer(parseTemplate(mapping.template, set)).answer.parts[0];
      return first?.kind === 'column' && first.path.length === 0 ? (row) => isBlank(own(row, first.column)) : null;
    }
    case 'turns':
      return (row) => isBlank(own(row, mapping.assistant));
    case 'prompt-completion':
      return (row) => isBlank(own(row, mapping.completion)) || isSilent(own(row, mapping.completion));
    case 'messages':
      return (row) => isSilent(own(row, mapping.column));
    case 'text':
      return null;
  }
}

/** Whether the last message of the assistant says nothing and calls nothing. */
function isSilent(value: unknown): boolean {
  if (!looksLikeMessages(value)) return false;
  const messages = (value as unknown[]).filter((message): message is Row => typeof message === 'object' && message !== null);
  const last = messages.findLast(({ role, from }) => role === 'assistant' || from === 'gpt' || from === 'assistant');
  if (last === undefined || last.tool_calls !== undefined || last.function_call !== undefined) return false;
  const said = last.content ?? last.value;
  return typeof said === 'string' && said.trim() === '';
}
