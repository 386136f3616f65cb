/** Templates such as "{question}\n{answer}": parsing with errors at the character, rendering, the split at the answer. Knows no tokenizer. */
import { AppError } from '#base/errors.ts';
import { columnList, type Row, type RowSet, type ValueText } from '#data/rows.ts';

/** A stretch of a template. `at` is the index of its first character in the source. */
export type TemplatePart =
  | { kind: 'text'; text: string }
  | { kind: 'column'; column: string; /** Keys into the column's value: `{answers[text]}`. */ path: readonly string[]; at: number };

export interface Template {
  source: string;
  parts: readonly TemplatePart[];
}

/**
 * Parses a template as Olive's `--text_template` means it: Python's `str.format` with the row's columns as keyword arguments.
 * `{column}` is a placeholder, `{{` and `}}` are braces, `{column[key]}` looks into an object or a list. Column names may hold spaces and dots.
 * Formats (`{n:03}`) and conversions (`{n!r}`) are refused.
 * @throws AppError `template/invalid` (details.at: index of the character) or `data/missing-column` (names the columns that exist).
 * @source olive 0.13 olive/data/component/text_generation.py (get_text), https://docs.python.org/3/library/string.html#formatstrings
 */
export function parseTemplate(source: string, set: Pick<RowSet, 'file' | 'columns'>): Template {
  const parts: TemplatePart[] = [];
  let text = '';
  const endText = (): void => {
    if (text !== '') parts.push({ kind: 'text', text });
    text = '';
  };
  for (let i = 0; i < source.length;) {
    const character = source[i];
    if (character !== '{' && character !== '}') {
      text += character;
      i++;
    } else if (source[i + 1] === character) {
      text += character;
      i += 2;
    } else if (character === '}') {
      throw templateError(source, i, "a '}' closes nothing; write '}}' for a brace in the text");
    } else {
      endText();
      const end = placeholderEnd(source, i);
      parts.push(parsePlaceholder(source, i, source.slice(i + 1, end), set));
      i = end + 1;
    }
  }
  endText();
  return { source, parts };
}

/** Index of the '}' that closes the placeholder opened at `start`. */
function placeholderEnd(source: string, start: number): number {
  for (let i = start + 1; i < source.length; i++) {
    if (source[i] === '}') return i;
    if (source[i] === '{') throw templateError(source, i, "a '{' stands inside a placeholder; write '{{' for a brace in the text");
  }
  throw templateError(source, start, "no '}' closes this '{'; write '{{' for a brace in the text");
}

function parsePlaceholder(source: string, at: number, content: string, set: Pick<RowSet, 'file' | 'columns'>): TemplatePart {
  if (content === '') throw templateError(source, at, 'the placeholder {} names no column');
  if (set.columns.includes(content)) return { kind: 'column', column: content, path: [], at };
  const extra = /[!:]/.exec(content);
  if (extra !== null && set.columns.includes(content.slice(0, extra.index))) {
    throw templateError(source, at + 1 + extra.index, `formats and conversions such as '${content.slice(extra.index)}' are not supported`);
  }
  const indexed = /^([^[\]]+)((?:\[[^[\]]+\])+)$/.exec(content);
  const column = indexed?.[1] ?? content;
  if (indexed !== null && set.columns.includes(column)) {
    return { kind: 'column', column, path: indexed[2].slice(1, -1).split(']['), at };
  }
  throw new AppError(
    'data/missing-column',
    `template, character ${at + 1}: ${set.file} has no column '${column}'; ${columnList(set.columns)}`,
    { file: set.file, column, at, expected: column, found: set.columns.join(', ') },
  );
}

function templateError(source: string, at: number, what: string): AppError {
  return new AppError('template/invalid', `template, character ${at + 1}: ${what}`, { at, found: source[at], template: source });
}

/** The parts of a template that are rendered as the prompt and as the answer. */
export interface SplitTemplate {
  prompt: Template;
  answer: Template;
}

/**
 * Splits a template before its last placeholder: that is the answer, with the text after it; all before is the prompt.
 * @throws AppError `template/invalid` when there is no placeholder.
 */
export function splitAtAnswer(template: Template): SplitTemplate {
  const last = template.parts.findLastIndex((part) => part.kind === 'column');
  const part = template.parts[last];
  if (part?.kind !== 'column') throw templateError(template.source, 0, 'no placeholder was found; the last one is the answer to learn');
  return {
    prompt: { source: template.source.slice(0, part.at), parts: template.parts.slice(0, last) },
    answer: { source: template.source.slice(part.at), parts: template.parts.slice(last) },
  };
}

/** The first column of `template` that `row` lacks or holds null for, or undefined. */
export function missingValue(template: Template, row: Row): string | undefined {
  for (const part of template.parts) {
    if (part.kind !== 'column') continue;
    const value = valueAt(row, part.column, part.path);
    if (value === undefined || value === null) return [part.column, ...part.path.map((key) => `[${key}]`)].join('');
  }
  return undefined;
}

/** The text of `row`. Values, null among them, become text by `valueText`. */
export function renderTemplate(template: Template, row: Row, valueText: ValueText): string {
  return template.parts
    .map((part) => (part.kind === 'text' ? part.text : valueText(valueAt(row, part.column, part.path), part.column)))
    .join('');
}

/** The value under a column and keys; undefined where one of them is not there. Own properties alone: a row may be any JSON. */
export function valueAt(row: Row, column: string, path: readonly string[]): unknown {
  let value: unknown = Object.hasOwn(row, column) ? row[column] : undefined;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

const FLAG_ESCAPES: Record<string, string> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/**
 * Reads the backslash escapes of a command-line flag, as Olive does for `--text_template`, so that `\n` can be typed in a shell.
 * An unknown escape stays as it is. Text outside ASCII stays whole, where Olive's `unicode_escape` breaks it into bytes.
 * @source olive 0.13 olive/common/utils.py (unescaped_str)
 */
export function unescapeFlag(text: string): string {
  return text.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g,
    (whole, x: string | undefined, u: string | undefined, long: string | undefined, simple: string | undefined) => {
      const code = x ?? u ?? long;
      if (code === undefined) return FLAG_ESCAPES[simple as string] ?? whole;
      const point = Number.parseInt(code, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}
