/** What Python does in a template and @huggingface/jinja 0.5.11 does otherwise, put right in the parsed template. Knows no chat. */
import { Environment, type parse } from '@huggingface/jinja';
import { isNode, withoutJumps, type Node } from '#tokenizer/template-loops.ts';

type Program = ReturnType<typeof parse>;
type RuntimeValue = ReturnType<Environment['set']>;

/** Names that no template can write, as they have a space. */
const OUTPUT = 'python output';
const CONCATENATE = 'python ~';
const TRIM = 'python trim';
const LENGTH = 'python length';
const DEFINED = 'python defined';
const STRIPS = new Map([
  ['strip', 'python strip'],
  ['lstrip', 'python lstrip'],
  ['rstrip', 'python rstrip'],
]);

/** Statements of these types are no output; a string literal is, and is already as Python writes it. */
const STATEMENTS = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Break',
  'Continue',
  'Comment',
  'StringLiteral',
]);

/**
 * Rewrites a parsed template in place: `strip`, `lstrip`, `rstrip` and `trim` heed their argument and strip what Python calls
 * whitespace; `length` counts characters; `tojson` refuses what is undefined; `~`, `string` and `{{ }}` write `True`, `None` and nothing
 * for what is undefined, as Python's `str` does; `break` and `continue` keep what was written before them.
 */
export function asPython(program: Program): Program {
  return rewrite(program, 0) as Program;
}

/** `depth` is the number of loops around the value. */
function rewrite(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, depth));
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [rewrite(key, depth), rewrite(inner, depth)]));
  if (!isNode(value)) return value;
  for (const [key, inner] of Object.entries(value)) {
    const isLoopBody = value.type === 'For' && key === 'body';
    const inside = rewrite(inner, isLoopBody ? depth + 1 : depth);
    const isBody = Array.isArray(inside) && (key === 'body' || key === 'alternate' || key === 'defaultBlock');
    const outputs = isBody ? inside.map(asOutput) : inside;
    value[key] = isLoopBody ? withoutJumps(outputs as Node[], depth) : outputs;
  }
  return replaced(value);
}

function asOutput(statement: unknown): unknown {
  return isNode(statement) && !STATEMENTS.has(statement.type) ? call(OUTPUT, [statement]) : statement;
}

function call(name: string, args: unknown[]): Node {
  return { type: 'CallExpression', callee: { type: 'Identifier', value: name }, args };
}

function replaced(node: Node): Node {
  if (node.type === 'CallExpression') {
    const callee = node.callee as Node;
    const strip =
      callee.type === 'MemberExpression' && callee.computed !== true ? STRIPS.get((callee.property as Node).value as string) : undefined;
    if (strip !== undefined) return call(strip, [callee.object, ...(node.args as unknown[])]);
  }
  if (node.type === 'BinaryExpression' && (node.operator as Node).value === '~') return call(CONCATENATE, [node.left, node.right]);
  if (node.type === 'FilterExpression') {
    const filter = node.filter as Node;
    const name = filter.type === 'CallExpression' ? (filter.callee as Node).value : filter.value;
    if (name === 'trim') return call(TRIM, [node.operand, ...((filter.args as unknown[] | undefined) ?? [])]);
    if (name === 'string') return call(OUTPUT, [node.operand]);
    if (name === 'tojson') return { ...node, operand: call(DEFINED, [node.operand]) };
    if (name === 'length' || name === 'count') return call(LENGTH, [node.operand]);
  }
  return node;
}

const probe = new Environment();
const StringValue = probe.set('text', '').constructor as new (text: string) => RuntimeValue;
const IntegerValue = probe.set('number', 0).constructor as new (value: number) => RuntimeValue;
const FunctionValue = probe.set('function', () => null).constructor as new (run: (args: RuntimeValue[]) => RuntimeValue) => RuntimeValue;

/** The functions that every template may call, and those that `asPython` puts in. `now` is the time of `strftime_now`. */
export function pythonGlobals(now: () => Date): Environment {
  const globals = new Environment();
  for (const [name, value] of [
    ['true', true],
    ['false', false],
    ['none', null],
    ['True', true],
    ['False', false],
    ['None', null],
  ] as const) {
    globals.set(name, value);
  }
  globals.set('raise_exception', (message: unknown) => {
    throw new Error(String(message));
  });
  globals.set('range', range);
  globals.set('strftime_now', (format: string) => strftime(now(), format));
  globals.setVariable(LENGTH, new FunctionValue(([value]) => new IntegerValue(lengthOf(value))));
  globals.setVariable(DEFINED, new FunctionValue(([value]) => defined(value)));
  const define = (name: string, run: (args: RuntimeValue[]) => string) =>
    globals.setVariable(name, new FunctionValue((args) => new StringValue(run(args))));
  define(OUTPUT, ([value]) => pythonText(value));
  define(CONCATENATE, ([left, right]) => pythonText(left) + pythonText(right));
  define(TRIM, ([value, characters]) => strip(pythonText(value), characters, true, true));
  for (const [method, name] of STRIPS) {
    define(name, ([value, characters]) => {
      if (value.type !== 'StringValue') throw new Error(`${method}() was called on ${describe(value)}, text was expected`);
      return strip(value.value as string, characters, method !== 'rstrip', method !== 'lstrip');
    });
  }
  return globals;
}

/** Python's `str`. Lists and objects would come out as Python's own notation, which no model should be shown unawares. */
function pythonText(value: RuntimeValue): string {
  switch (value.type) {
    case 'StringValue':
      return value.value as string;
    case 'UndefinedValue':
      return '';
    case 'NullValue':
      return 'None';
    case 'BooleanValue':
      return value.value === true ? 'True' : 'False';
    case 'IntegerValue':
    case 'FloatValue':
      return value.toString();
    default:
      throw new Error(`${describe(value)} is written into the text, which needs tojson`);
  }
}

/** What is undefined is no JSON. */
function defined(value: RuntimeValue): RuntimeValue {
  if (value.type === 'UndefinedValue') throw new Error('tojson was applied to something undefined');
  return value;
}

/** Python's `len`, which counts the characters of a text. */
function lengthOf(value: RuntimeValue): number {
  if (value.type === 'StringValue') return Array.from(value.value as string).length;
  if (value.type === 'ArrayValue' || value.type === 'TupleValue') return (value.value as unknown[]).length;
  if (value.type === 'ObjectValue') return (value.value as Map<string, unknown>).size;
  if (value.type === 'UndefinedValue') return 0;
  throw new Error(`${describe(value)} has no length`);
}

function describe(value: RuntimeValue): string {
  const names = new Map([
    ['ArrayValue', 'a list'],
    ['TupleValue', 'a list'],
    ['ObjectValue', 'an object'],
    ['NamespaceValue', 'a namespace'],
    ['FunctionValue', 'a function'],
    ['UndefinedValue', 'something undefined'],
    ['NullValue', 'none'],
  ]);
  return names.get(value.type) ?? `the value ${value.toString()}`;
}

/** Python's `str.isspace` of one character: Unicode's white space and the four separators of ASCII, which is not JavaScript's `\s`. */
function isSpace(letter: string): boolean {
  return (letter >= '\x1c' && letter <= '\x1f') || /^\p{White_Space}$/u.test(letter);
}

function strip(text: string, characters: RuntimeValue | undefined, atStart: boolean, atEnd: boolean): string {
  const isGiven = characters !== undefined && characters.type !== 'NullValue';
  if (isGiven && characters.type !== 'StringValue') throw new Error(`strip() was given ${describe(characters)}, characters were expected`);
  const given = new Set(isGiven ? (characters.value as string) : '');
  const isStripped = (letter: string) => (isGiven ? given.has(letter) : isSpace(letter));
  const letters = Array.from(text);
  let from = 0;
  let to = letters.length;
  if (atStart) while (from < to && isStripped(letters[from])) from++;
  if (atEnd) while (to > from && isStripped(letters[to - 1])) to--;
  return letters.slice(from, to).join('');
}

function range(start: number, stop?: number, step = 1): number[] {
  if (step === 0) throw new Error('range() with a step of 0');
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  return Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + i * step);
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** Python's `strftime` in the C locale, whatever the browser's language. */
function strftime(date: Date, format: string): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, '0');
  const fields: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    y: () => pad(date.getFullYear() % 100),
    m: () => pad(date.getMonth() + 1),
    d: () => pad(date.getDate()),
    B: () => MONTHS[date.getMonth()],
    b: () => MONTHS[date.getMonth()].slice(0, 3),
    A: () => DAYS[date.getDay()],
    a: () => DAYS[date.getDay()].slice(0, 3),
    H: () => pad(date.getHours()),
    I: () => pad(date.getHours() % 12 || 12),
    M: () => pad(date.getMinutes()),
    S: () => pad(date.getSeconds()),
    p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
    '%': () => '%',
  };
  return format.replaceAll(/%(-?)(.)/gs, (code, bare: string, letter: string) => {
    const field = fields[letter];
    if (field === undefined) throw new Error(`strftime_now() with ${code}, one of %${Object.keys(fields).join(' %')} was expected`);
    return bare === '' ? field() : field().replace(/^0(?=\d)/, '');
  });
}
