/** JSON out of files: where it breaks, by line and column, and keys that appear twice. Knows text alone. */
import { AppError, type ErrorCode } from '#base/errors.ts';

/** Values nested deeper than this come from no tool we know; deep values overflow the stack of those who walk them. */
const MAX_DEPTH = 256;

export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

export interface JsonProblem {
  /** Index of the UTF-16 code unit at which the text stops to be JSON. */
  index: number;
  message: string;
}

const isDigit = (code: number) => code >= 48 && code <= 57;

/** The end of the string that opens at `at`, or the problem inside it. */
function skipString(text: string, at: number): number | JsonProblem {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) return i + 1;
    if (code < 0x20) return { index: i, message: 'a line break or control character inside a string' };
    if (code !== 0x5c) continue;
    i++;
    if (text[i] === 'u') {
      if (!/^[0-9a-fA-F]{4}$/.test(text.slice(i + 1, i + 5))) return { index: i - 1, message: 'a broken \\u escape' };
      i += 4;
    } else if (i < text.length && !'"\\/bfnrt'.includes(text[i])) {
      return { index: i - 1, message: `an unknown escape \\${text[i]}` };
    }
  }
  return { index: text.length, message: 'the text ends inside a string' };
}

function skipDigits(text: string, at: number): number {
  let i = at;
  while (isDigit(text.charCodeAt(i))) i++;
  return i;
}

/** The end of the number at `at`, or -1 when there is none. */
function skipNumber(text: string, at: number): number {
  let i = text[at] === '-' ? at + 1 : at;
  if (!isDigit(text.charCodeAt(i))) return -1;
  i = text[i] === '0' ? i + 1 : skipDigits(text, i);
  if (text[i] === '.') {
    if (!isDigit(text.charCodeAt(i + 1))) return -1;
    i = skipDigits(text, i + 1);
  }
  if (text[i] === 'e' || text[i] === 'E') {
    const digits = text[i + 1] === '+' || text[i + 1] === '-' ? i + 2 : i + 1;
    if (!isDigit(text.charCodeAt(digits))) return -1;
    i = skipDigits(text, digits);
  }
  return i;
}

/**
 * The first problem of a JSON text, or null. Engines report positions differently or not at all, so the place comes from here.
 * A key that appears twice in one object is a problem too: parsers disagree on which one counts.
 */
export function findJsonProblem(text: string): JsonProblem | null {
  /** Keys seen in each open object; null stands for an open array. */
  const open: (Set<string> | null)[] = [];
  let i = 0;
  const skipSpace = () => {
    while (i < text.length && ' \t\n\r'.includes(text[i])) i++;
  };
  const unexpected = (expected: string): JsonProblem => {
    const found = i < text.length ? JSON.stringify(String.fromCodePoint(text.codePointAt(i) as number)) : 'the end of the text';
    return { index: i, message: `${found} was found, ${expected} was expected` };
  };
  /** Reads `"key" :` of an object. */
  const key = (): JsonProblem | null => {
    if (text[i] !== '"') return unexpected('a key in double quotes');
    const start = i;
    const end = skipString(text, i);
    if (typeof end !== 'number') return end;
    const name = JSON.parse(text.slice(start, end)) as string;
    const keys = open.at(-1) as Set<string>;
    if (keys.has(name)) return { index: start, message: `the key ${JSON.stringify(name)} appears twice` };
    keys.add(name);
    i = end;
    skipSpace();
    if (text[i] !== ':') return unexpected('":"');
    i++;
    return null;
  };

  for (;;) {
    skipSpace();
    const opener = text[i];
    if (opener === '{' || opener === '[') {
      if (open.length === MAX_DEPTH) return { index: i, message: `values nested deeper than ${MAX_DEPTH}` };
      open.push(opener === '{' ? new Set() : null);
      i++;
      skipSpace();
      if (text[i] !== (opener === '{' ? '}' : ']')) {
        const problem = opener === '{' ? key() : null;
        if (problem) return problem;
        continue;
      }
      open.pop();
      i++;
    } else if (opener === '"') {
      const end = skipString(text, i);
      if (typeof end !== 'number') return end;
      i = end;
    } else {
      const word = ['true', 'false', 'null'].find((literal) => text.startsWith(literal, i));
      const end = word ? i + word.length : skipNumber(text, i);
      if (end < 0) return unexpected('a JSON value');
      i = end;
    }
    // A value has ended: close what closes, then a comma leads to the next one.
    for (;;) {
      skipSpace();
      if (open.length === 0) return i === text.length ? null : unexpected('the end of the text');
      const keys = open.at(-1) as Set<string> | null;
      if (text[i] === ',') {
        i++;
        skipSpace();
        const problem = keys ? key() : null;
        if (problem) return problem;
        break;
      }
      if (text[i] !== (keys ? '}' : ']')) return unexpected(keys ? '"," or "}"' : '"," or "]"');
      open.pop();
      i++;
    }
  }
}

/** Line and column of an index, both from 1; a column counts characters. */
export function lineAndColumn(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: Array.from(before.slice(lineStart)).length + 1 };
}

/**
 * The object that a small JSON file holds, checked for broken syntax and repeated keys.
 * @throws AppError `code` with file, line and column.
 */
export function parseJsonObject(file: string, text: string, code: ErrorCode): Record<string, JsonValue> {
  const problem = findJsonProblem(text);
  if (problem) {
    const { line, column } = lineAndColumn(text, problem.index);
    throw new AppError(code, `${file}: not JSON at line ${line}, column ${column}: ${problem.message}`, { file, line, column });
  }
  const value = JSON.parse(text) as JsonValue;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError(code, `${file}: ${describeJson(value)} was found, an object was expected`, { file, found: describeJson(value) });
  }
  return value;
}

/** What a value is, in words for an error. */
export function describeJson(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  return `the ${typeof value} ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`;
}
