/** A value inside a parsed JSON file, with the path that errors name. Knows no schema. */
import { AppError, type ErrorCode } from '#base/errors.ts';
import { describeJson, findJsonProblem, lineAndColumn, type JsonValue } from '#formats/json-text.ts';

/** Reads typed values; what is missing or of another kind is an AppError `tokenizer/invalid` with file, path, found and expected. */
export class JsonField {
  readonly file: string;
  readonly path: string;
  readonly value: unknown;
  readonly #depth: number;

  constructor(file: string, path: string, value: unknown, depth = 0) {
    this.file = file;
    this.path = path;
    this.value = value;
    this.#depth = depth;
    if (depth > MAX_DEPTH) throw this.error('tokenizer/invalid', `values nested deeper than ${MAX_DEPTH} were found`);
  }

  /** Parses the text of a file. @throws AppError `tokenizer/invalid` with line and column where it is not JSON. */
  static parse(file: string, text: string): JsonField {
    try {
      return new JsonField(file, '', JSON.parse(text));
    } catch (error) {
      const problem = findJsonProblem(text) ?? { index: 0, message: String(error) };
      const { line, column } = lineAndColumn(text, problem.index);
      const message = `${file}: not JSON at line ${line}, column ${column}: ${problem.message}`;
      throw new AppError('tokenizer/invalid', message, { file, line, column }, error);
    }
  }

  get missing(): boolean {
    return this.value === undefined || this.value === null;
  }

  error(code: ErrorCode, message: string, found?: string, expected?: string): AppError {
    const place = this.path === '' ? this.file : `${this.file}: ${this.path}`;
    return new AppError(code, `${place}: ${message}`, { file: this.file, path: this.path, found, expected });
  }

  invalid(expected: string): AppError {
    const found = describeJson(this.value as JsonValue | undefined);
    return this.error('tokenizer/invalid', `${found} was found, ${expected} was expected`, found, expected);
  }

  unsupported(expected: string): AppError {
    const found = describeJson(this.value as JsonValue | undefined);
    return this.error('tokenizer/unsupported', `${found} was found, ${expected} is what this program can do`, found, expected);
  }

  get(key: string): JsonField {
    const path = this.path === '' ? key : `${this.path}.${key}`;
    return new JsonField(this.file, path, this.record()[key], this.#depth + 1);
  }

  record(): Record<string, unknown> {
    if (typeof this.value !== 'object' || this.value === null || Array.isArray(this.value)) throw this.invalid('an object');
    return this.value as Record<string, unknown>;
  }

  items(): JsonField[] {
    if (!Array.isArray(this.value)) throw this.invalid('an array');
    return this.value.map((item, i) => new JsonField(this.file, `${this.path}[${i}]`, item, this.#depth + 1));
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.invalid('a string');
    return this.value;
  }

  /** The boolean, or `otherwise` where the key is missing. */
  boolean(otherwise: boolean): boolean {
    if (this.missing) return otherwise;
    if (typeof this.value !== 'boolean') throw this.invalid('true or false');
    return this.value;
  }

  /** A token id: a whole number from 0. */
  id(): number {
    if (typeof this.value !== 'number' || !Number.isInteger(this.value) || this.value < 0 || this.value > MAX_TOKEN_ID) {
      throw this.invalid(`a token id from 0 to ${MAX_TOKEN_ID}`);
    }
    return this.value;
  }

  /** One of a few words; another one is `tokenizer/unsupported`. */
  oneOf<T extends string>(words: readonly T[]): T {
    const word = this.string();
    if (!words.includes(word as T)) throw this.unsupported(words.join(', '));
    return word as T;
  }
}

/** No vocabulary comes near 2^24 tokens (the largest known has 262,208); a lying id must not size an array. */
export const MAX_TOKEN_ID = 2 ** 24 - 1;

/** Sequences inside sequences: real files have two. */
const MAX_DEPTH = 32;
