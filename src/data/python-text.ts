/** Values of a row as Python's `str.format` writes them after Hugging Face `datasets` has read the file. Knows values, no files. */
import { columnsOf, type Row, type ValueText } from '#data/rows.ts';

/** What `datasets` makes of a whole column: whole numbers beside fractions become fractions, texts that are all dates become dates. */
type ColumnKind = 'float' | 'date' | 'as-is';

/**
 * The text of values as Olive's templates show them: `str(value)` on what `datasets` 5.2 reads from JSON, which types whole columns.
 * `null` and a column that a row lacks are `None`, `true` is `True`, `2` beside `2.5` is `2.0`, `2024-05-01` is `2024-05-01 00:00:00`.
 * JSON's `2.0` in a column of whole numbers reads as `2` here, and whole numbers past 2^53 lose digits: JavaScript's JSON keeps neither.
 * @source olive 0.13 olive/data/component/text_generation.py (get_text), datasets 5.2 packaged_modules/json/json.py
 */
export function pythonText(rows: readonly Row[]): ValueText {
  const kinds = new Map(columnsOf(rows).map((column) => [column, columnKind(rows, column)]));
  return (value, column) => {
    const kind = kinds.get(column);
    if (kind === 'float' && typeof value === 'number') return pythonFloat(value);
    if (kind === 'date' && typeof value === 'string') return dateText(value) ?? value;
    return typeof value === 'string' ? value : pythonRepr(value);
  };
}

function columnKind(rows: readonly Row[], column: string): ColumnKind {
  let fractions = false;
  let numbers = true;
  let dates = true;
  let values = 0;
  for (const row of rows) {
    const value = row[column];
    if (value === null || value === undefined) continue;
    values++;
    numbers &&= typeof value === 'number';
    dates &&= typeof value === 'string' && dateText(value) !== undefined;
    if (!numbers && !dates) return 'as-is';
    fractions ||= numbers && !isWhole(value as number);
  }
  if (values === 0) return 'as-is';
  if (dates) return 'date';
  return fractions ? 'float' : 'as-is';
}

/** Whether JSON's text of the number was that of a whole number that fits 64 bits, as far as can be told after parsing. */
function isWhole(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63;
}

/** `repr(value)` of a JSON value; for numbers, booleans and null the same as `str(value)`. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return isWhole(value) ? String(BigInt(value)) : pythonFloat(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`;
  const entries = Object.entries(value).map(([key, inner]) => `${quoted(key)}: ${pythonRepr(inner)}`);
  return `{${entries.join(', ')}}`;
}

/** `repr` of a Python float: the shortest digits that round-trip, with an exponent below 1e-4 and from 1e16 on; NaN is no value of a column. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const [mantissa = '', exponentText = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(exponentText);
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  if (exponent < -4 || exponent >= 16) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const padded = digits.padEnd(exponent + 1, '0');
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1) || '0'}`;
}

const NAMED_ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
// What Python's str.isprintable refuses: the categories Other and Separator, the space excepted.
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/** `repr` of a Python str. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const character of text) {
    if (NAMED_ESCAPES[character] !== undefined) out += NAMED_ESCAPES[character];
    else if (character === quote) out += `\\${quote}`;
    else if (character !== ' ' && UNPRINTABLE.test(character)) out += escapeCodePoint(character.codePointAt(0) as number);
    else out += character;
  }
  return out + quote;
}

function escapeCodePoint(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}

// The texts that Arrow's JSON reader takes for a timestamp in seconds.
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d)(?::(\d\d)(?::(\d\d))?)?(?:Z|([+-])(\d\d):?(\d\d)?)?)?$/;

/** `str` of the UTC datetime that Arrow reads from `text`, or undefined where Arrow leaves it a text. */
function dateText(text: string): string | undefined {
  const match = DATE.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) return undefined;
  const zoneMinutes = (match[7] === '-' ? -1 : 1) * (Number(match[8] ?? 0) * 60 + Number(match[9] ?? 0));
  date.setUTCHours(hour, minute - zoneMinutes, second);
  const [calendar, clock] = date.toISOString().split('T') as [string, string];
  return `${calendar} ${clock.slice(0, 8)}`;
}
