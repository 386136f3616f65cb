/** What the columns of a dataset look like: which is the prompt, which the answer. Knows names and first rows, no tokenizer. */
import { looksLikeMessages } from '#data/conversation.ts';
import type { Row } from '#data/rows.ts';
import type { MappingGuess } from '#protocol/data.ts';

const CONVERSATIONS = ['messages', 'conversations', 'conversation', 'chat'];
/** Prompt and answer columns as datasets name them; the earlier pair wins. */
const PAIRS: readonly (readonly [prompt: string, answer: string])[] = [
  ['prompt', 'completion'],
  ['input', 'output'],
  ['question', 'answer'],
  ['instruction', 'output'],
  ['instruction', 'response'],
  ['prompt', 'response'],
  ['prompt', 'chosen'],
  ['query', 'response'],
  ['query', 'answer'],
  ['question', 'response'],
  ['input', 'target'],
  ['source', 'target'],
  ['text', 'label'],
  ['article', 'summary'],
];

/**
 * Guesses from the names of the columns and the values of the first rows; null when nothing is recognised.
 * A column of conversations; a known pair of prompt and answer (Alpaca's `instruction`, `input` and `output` too) as a template with
 * loss on the answer; two columns of text, in their order; one column of text with loss on all of it.
 */
export function guessMapping(columns: readonly string[], firstRows: readonly Row[]): MappingGuess | null {
  const find = (name: string) => columns.find((column) => column.toLowerCase() === name);
  const some = (column: string, test: (value: unknown) => boolean) => firstRows.some((row) => test(row[column]));
  const isConversation = (column: string) => some(column, looksLikeMessages);
  const isText = (column: string) => some(column, (value) => typeof value === 'string') && !some(column, isNested);

  const [prompt, completion] = [find('prompt'), find('completion')];
  if (prompt !== undefined && completion !== undefined && isConversation(prompt)) {
    return { mapping: { kind: 'prompt-completion', prompt, completion }, loss: 'answer' };
  }
  const named = CONVERSATIONS.map(find).filter((column) => column !== undefined);
  const conversation = [...named, ...columns].find(isConversation);
  if (conversation !== undefined) return { mapping: { kind: 'messages', column: conversation }, loss: 'answer' };

  const [instruction, input, output] = [find('instruction'), find('input'), find('output')];
  if (instruction !== undefined && input !== undefined && output !== undefined) return template([instruction, input, output]);
  for (const [first, second] of PAIRS) {
    const pair = [find(first), find(second)].filter((column) => column !== undefined);
    if (pair.length === 2) return template(pair);
  }
  const texts = columns.filter(isText);
  if (texts.length === 2 && columns.length === 2) return template(texts);
  const text = find('text') ?? (texts.length === 1 && columns.length === 1 ? texts[0] : undefined);
  return text === undefined ? null : { mapping: { kind: 'text', column: text }, loss: 'all' };
}

/** The columns one a line; null when a template cannot name one of them. */
function template(columns: readonly string[]): MappingGuess | null {
  if (columns.some((column) => /[{}]/.test(column))) return null;
  return { mapping: { kind: 'template', template: columns.map((column) => `{${column}}`).join('\n') }, loss: 'answer' };
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
