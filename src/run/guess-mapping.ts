/** What the columns of a dataset look like: which is the prompt, which the answer. Knows names and first rows, no tokenizer. */
import { looksLikeMessages } from '#data/conversation.ts';
import type { DataMapping } from '#data/mapping.ts';
import { own, type Row } from '#data/rows.ts';
import type { DetectedMapping, MappingGuess, Recognised } from '#protocol/data.ts';

const CONVERSATIONS = ['messages', 'conversations', 'conversation', 'chat', 'dialog', 'dialogue'];
const TOOLS = ['tools', 'functions'];
const CONTEXTS = ['context', 'passage'];
/** Prompt and answer columns as datasets name them; the earlier pair wins. */
const PAIRS: readonly (readonly [prompt: string, answer: string])[] = [
  ['prompt', 'completion'],
  ['input', 'output'],
  ['question', 'answer'],
  ['instruction', 'output'],
  ['instruction', 'response'],
  ['instruction', 'answer'],
  ['instruction', 'completion'],
  ['prompt', 'response'],
  ['prompt', 'answer'],
  ['prompt', 'output'],
  ['prompt', 'chosen'],
  ['query', 'response'],
  ['query', 'answer'],
  ['question', 'response'],
  ['user', 'assistant'],
  ['human', 'assistant'],
  ['problem', 'solution'],
  ['input', 'response'],
  ['input', 'target'],
  ['source', 'target'],
  ['text', 'label'],
  ['sentence', 'label'],
  ['text', 'summary'],
  ['document', 'summary'],
  ['article', 'summary'],
  ['article', 'highlights'],
  ['dialogue', 'summary'],
];

export interface GuessedFile {
  columns: readonly string[];
  firstRows: readonly Row[];
  /** What a row of a plain text file is. */
  textUnit?: 'paragraph' | 'line' | null;
}

/**
 * Guesses from the names of the columns and the values of the first rows; null when nothing is recognised.
 * A column of conversations; Alpaca's columns as turns; a known pair of prompt and answer as a template with loss on the answer; two
 * columns of text, in their order; one column of text with loss on all of it. A context beside question and answer may be a part of the
 * prompt or not: the guess has it in the prompt and asks.
 */
export function guessMapping({ columns, firstRows, textUnit = null }: GuessedFile): DetectedMapping | null {
  const find = (name: string) => columns.find((column) => column.toLowerCase() === name);
  const some = (column: string, test: (value: unknown) => boolean) => firstRows.some((row) => test(own(row, column)));
  const isConversation = (column: string) => some(column, looksLikeMessages);
  const isText = (column: string) => some(column, (value) => typeof value === 'string') && !some(column, isNested);

  const [prompt, completion] = [find('prompt'), find('completion')];
  if (prompt !== undefined && completion !== undefined && isConversation(prompt)) {
    return detected({ kind: 'prompt-completion', prompt, completion }, { kind: 'prompt-completion', prompt, completion });
  }
  const named = CONVERSATIONS.map(find).filter((column) => column !== undefined);
  const conversation = [...named, ...columns].find(isConversation);
  if (conversation !== undefined) return guessChat(conversation, TOOLS.map(find).find((column) => column !== undefined) ?? null, firstRows);

  const [instruction, input, output] = [find('instruction'), find('input'), find('output')];
  if (instruction !== undefined && input !== undefined && output !== undefined) {
    const mapping = { kind: 'turns', user: [instruction, input], assistant: output } as const;
    return detected({ kind: 'alpaca', instruction, input, output }, mapping);
  }
  const [context, question, answer] = [CONTEXTS.map(find).find((column) => column !== undefined), find('question'), findAnswer(find)];
  if (context !== undefined && question !== undefined && answer !== undefined) {
    const recognised = { kind: 'context-question-answer', context, question, answer } as const;
    return lines(recognised, [context, question], answer, firstRows, 'context-question-answer');
  }
  for (const [first, second] of PAIRS) {
    const [asked, answered] = [find(first), find(second)];
    if (asked === undefined || answered === undefined) continue;
    const isNamedSo = first === 'prompt' && second === 'completion';
    const recognised: Recognised = isNamedSo
      ? { kind: 'prompt-completion', prompt: asked, completion: answered }
      : { kind: 'prompt-answer', prompt: asked, answer: answered };
    return lines(recognised, [asked], answered, firstRows);
  }
  const texts = columns.filter(isText);
  if (texts.length === 2 && columns.length === 2) {
    const [first, second] = texts;
    return lines({ kind: 'two-columns', prompt: first, answer: second }, [first], second, firstRows);
  }
  const text = find('text') ?? (texts.length === 1 && columns.length === 1 ? texts[0] : undefined);
  if (text === undefined) return null;
  return { ...detected({ kind: 'text', column: text, unit: textUnit }, { kind: 'text', column: text }), loss: 'all' };
}

function findAnswer(find: (name: string) => string | undefined): string | undefined {
  return find('answer') ?? find('answers');
}

function guessChat(column: string, toolsColumn: string | null, rows: readonly Row[]): DetectedMapping {
  const messages = rows.flatMap((row) => {
    const value = own(row, column);
    return Array.isArray(value) ? value.filter(isNested) : [];
  }) as Row[];
  const tools = toolsColumn !== null && rows.some((row) => hasTools(own(row, toolsColumn))) ? toolsColumn : null;
  const mapping: DataMapping = tools === null ? { kind: 'messages', column } : { kind: 'messages', column, tools };
  if (messages.some((message) => 'from' in message && !('role' in message))) return detected({ kind: 'sharegpt', column, tools }, mapping);
  const hasWeights = messages.some(({ weight }) => typeof weight === 'number');
  const hasCalls = tools !== null || messages.some(({ role, tool_calls: calls }) => role === 'tool' || Array.isArray(calls));
  return detected({ kind: 'openai-chat', column, tools, hasWeights, hasTools: hasCalls }, mapping);
}

function hasTools(value: unknown): boolean {
  return Array.isArray(value) || (typeof value === 'string' && value.trimStart().startsWith('['));
}

function detected(recognised: Recognised, mapping: DataMapping): DetectedMapping {
  return { mapping, loss: 'answer', recognised, needsConfirmation: null, asChat: null };
}

/** The columns one a line; null when a template cannot name one of them. Through a chat template the same are turns. */
function lines(
  recognised: Recognised,
  prompt: readonly string[],
  answer: string,
  rows: readonly Row[],
  needsConfirmation: DetectedMapping['needsConfirmation'] = null,
): DetectedMapping | null {
  const places = [...prompt.map((column) => ({ column, path: '' })), { column: answer, path: answerPath(rows, answer) }];
  if (places.some(({ column }) => /[{}]/.test(column))) return null;
  const template = places.map(({ column, path }) => `{${column}${path}}`).join('\n');
  const isPlain = places.every(({ path }) => path === '');
  const asChat: MappingGuess = { mapping: { kind: 'turns', user: prompt, assistant: answer }, loss: 'answer' };
  return { ...detected(recognised, { kind: 'template', template }), needsConfirmation, asChat: isPlain ? asChat : null };
}

/** Where SQuAD's answers are: `{text: [...], answer_start: [...]}`. */
function answerPath(rows: readonly Row[], column: string): string {
  const isSquad = rows.some((row) => {
    const value = own(row, column);
    return isNested(value) && Array.isArray((value as Row).text);
  });
  return isSquad ? '[text][0]' : '';
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
