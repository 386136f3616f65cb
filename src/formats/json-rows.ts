/** Rows of JSON and JSON lines: where they are and what they say. Knows no dataset. */
import { AppError } from '#base/errors.ts';
import { describeJson, findJsonProblem, type JsonValue } from '#formats/json-text.ts';
import { chunksOf, locate, RowIndex } from '#formats/row-index.ts';
import { decodeUtf8, type Utf8Source } from '#formats/text-encoding.ts';

/** What surrounds the rows of a JSON file, at two bytes a row, and other members of an object around them. */
const MAX_AROUND_BYTES = 134_217_728;

const [QUOTE, COMMA, ZERO, OPEN_ARRAY, BACKSLASH, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x2c, 0x30, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d,
];

/** One row a line; lines of blanks are none. */
export async function indexJsonLines({ source, start }: Utf8Source): Promise<RowIndex> {
  const index = new RowIndex(source);
  let [first, last] = [-1, -1];
  for await (const { bytes, offset } of chunksOf(source, start)) {
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === 10) {
        if (first >= 0) index.push(first, last + 1);
        first = -1;
      } else if (bytes[i] > 32) {
        last = offset + i;
        if (first < 0) first = last;
      }
    }
  }
  if (first >= 0) index.push(first, last + 1);
  return index;
}

/**
 * Walks a JSON file whose root is an array, or an object with arrays as members, and finds the elements of these arrays.
 * `around` is the file with each element replaced by `0`: parsing it checks all that lies between the rows, whatever the file's size.
 * Stops where `around` reaches `stopAt` bytes and tells that place.
 */
async function walkArrays(file: Utf8Source, stopAt = Infinity): Promise<{ index: RowIndex; around: Uint8Array; offset: number }> {
  const { source, start } = file;
  const index = new RowIndex(source);
  let around = new Uint8Array(1024);
  let [length, depth, elementDepth, rootIsObject] = [0, 0, -1, false];
  let [inString, escaped] = [false, false];
  let [first, last] = [-1, -1];
  const emit = (byte: number) => {
    if (length === MAX_AROUND_BYTES) {
      throw new AppError('data/invalid', `${source.name}: more than ${MAX_AROUND_BYTES} bytes beside the rows were found`, {
        file: source.name,
      });
    }
    if (length === around.length) {
      const grown = new Uint8Array(2 * length);
      grown.set(around);
      around = grown;
    }
    around[length++] = byte;
  };
  for await (const { bytes, offset } of chunksOf(source, start)) {
    for (let i = 0; i < bytes.length; i++) {
      if (length >= stopAt) return { index, around: around.subarray(0, length), offset: offset + i };
      const byte = bytes[i];
      const closes = byte === CLOSE_ARRAY || byte === CLOSE_OBJECT;
      const inArray = elementDepth >= 0;
      // A comma or the closing bracket of the array ends an element.
      if (inArray && first >= 0 && !inString && depth === elementDepth && (byte === COMMA || closes)) {
        index.push(first, last + 1);
        emit(ZERO);
        first = -1;
      }
      const isElement = inArray && (first >= 0 || (byte > 32 && byte !== COMMA && !(closes && depth === elementDepth)));
      if (isElement && byte > 32) {
        last = offset + i;
        if (first < 0) first = last;
      }
      if (!isElement) emit(byte);
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) {
        inString = true;
      } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (depth === 0) rootIsObject = byte === OPEN_OBJECT;
        if (!inArray && byte === OPEN_ARRAY && depth === (rootIsObject ? 1 : 0)) elementDepth = depth + 1;
        depth++;
      } else if (closes) {
        depth--;
        if (depth < elementDepth) elementDepth = -1;
      }
    }
  }
  // A file that ends inside an element: what was read of it is a row, and `around` lacks its end.
  if (first >= 0) {
    index.push(first, last + 1);
    emit(ZERO);
  }
  return { index, around: around.subarray(0, length), offset: source.sizeBytes };
}

/**
 * Rows of a JSON file: the elements of its array, or of the one array of objects that its object has; else the object is the one row.
 * @throws AppError `data/invalid` with line and column where the file stops to be JSON.
 */
export async function indexJson(file: Utf8Source): Promise<RowIndex> {
  const { source } = file;
  const { index, around } = await walkArrays(file);
  const text = decodeUtf8(source, around, file.start);
  const problem = findJsonProblem(text);
  if (problem) {
    const { offset } = await walkArrays(file, new TextEncoder().encode(text.slice(0, problem.index)).length);
    throw await notJson(file, offset, problem.message, '');
  }
  const root = JSON.parse(text) as JsonValue;
  if (Array.isArray(root)) return index;
  if (typeof root !== 'object' || root === null) {
    const found = describeJson(root);
    throw new AppError('data/invalid', `${source.name}: ${found} was found, an array of objects was expected`, {
      file: source.name,
      found,
    });
  }
  const arrays = Object.entries(root).filter(([, value]) => Array.isArray(value));
  if (arrays.length > 1) {
    const names = arrays.map(([name]) => name).join(', ');
    throw new AppError('data/invalid', `${source.name}: ${arrays.length} arrays were found (${names}), one with the rows was expected`, {
      file: source.name,
      found: names,
    });
  }
  if (arrays.length === 1 && (index.length === 0 || (await source.read(index.start(0), index.start(0) + 1))[0] === OPEN_OBJECT))
    return index;
  const whole = new RowIndex(source);
  whole.push(file.start, source.sizeBytes);
  return whole;
}

async function notJson(file: Utf8Source, offset: number, message: string, where: string): Promise<AppError> {
  const { line, column } = await locate(file, offset);
  const text = `${file.source.name}: ${where}not JSON at line ${line}, column ${column}: ${message}`;
  return new AppError('data/invalid', text, { file: file.source.name, line, column });
}

/**
 * The object that a row's bytes, which start at `offset`, hold. `row` counts from 0.
 * @throws AppError `data/invalid` naming row, line and column.
 */
export async function parseJsonRow(file: Utf8Source, bytes: Uint8Array, offset: number, row: number): Promise<Record<string, JsonValue>> {
  const text = decodeUtf8(file.source, bytes, offset);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    // The engine's own words differ from browser to browser and often lack the place.
    const problem = findJsonProblem(text) ?? { index: 0, message: String(error) };
    const at = offset + new TextEncoder().encode(text.slice(0, problem.index)).length;
    throw await notJson(file, at, problem.message, `row ${row + 1}: `);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const { line } = await locate(file, offset);
    const found = describeJson(value);
    const message = `${file.source.name}: row ${row + 1} at line ${line} is ${found}, an object was expected`;
    throw new AppError('data/invalid', message, { file: file.source.name, row: row + 1, line, found });
  }
  return value;
}
