/** A Jinja template carried out as Python's jinja2 would, over @huggingface/jinja. Knows no chat. */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { AppError } from '#base/errors.ts';
import { asPython, pythonGlobals } from '#tokenizer/template-python.ts';
import { findTags, findUnclosed, type TemplateTag } from '#tokenizer/template-lines.ts';

type Program = ReturnType<typeof parse>;
type Token = ReturnType<typeof tokenize>[number];

const WHITESPACE = { trim_blocks: true, lstrip_blocks: true };
const LINE_MARK = 'line mark';

export class TemplateProgram {
  readonly #name: string;
  readonly #source: string;
  readonly #tags: readonly TemplateTag[];
  readonly #program: Program;
  readonly #globals: Environment;
  readonly #now: () => Date;

  /**
   * @param name what errors call the template
   * @throws AppError `template/invalid` with the line where it is not a template
   */
  constructor(name: string, source: string, now: () => Date = () => new Date()) {
    this.#name = name;
    // jinja2 reads every line break as "\n".
    this.#source = source.replaceAll(/\r\n?/g, '\n');
    this.#now = now;
    this.#tags = findTags(this.#source);
    const unclosed = findUnclosed(this.#source, this.#tags);
    if (unclosed !== null) throw this.#error(unclosed.message, unclosed.line);
    this.#program = this.#parse();
    this.#globals = pythonGlobals(now);
  }

  /** @throws AppError `template/invalid` with the line and what was wrong, which the template itself may have said */
  render(variables: Record<string, unknown>): string {
    try {
      return run(this.#program, this.#globals, variables);
    } catch (error) {
      throw this.#error(error, this.#lineOfFailure(variables));
    }
  }

  #error(reason: unknown, line: number | undefined): AppError {
    const message = reason instanceof Error ? reason.message : String(reason);
    const place = line === undefined ? this.#name : `${this.#name}, line ${line}`;
    return new AppError('template/invalid', `${place}: ${message}`, { file: this.#name, line, found: message }, reason);
  }

  #parse(): Program {
    let tokens: Token[];
    try {
      tokens = tokenize(this.#source, WHITESPACE);
    } catch (error) {
      throw this.#error(error, this.#lineOfBadCharacter());
    }
    // The parser tells no place: the last token that it looked at does.
    let last = 0;
    const watched = new Proxy(tokens, {
      get(target, key, receiver): unknown {
        const index = typeof key === 'string' ? Number(key) : Number.NaN;
        if (index >= 0 && index < target.length) last = Math.max(last, index);
        return Reflect.get(target, key, receiver);
      },
    });
    try {
      return asPython(parse(watched));
    } catch (error) {
      const count = tokens.slice(0, last + 1).filter(isOpening).length;
      throw this.#error(error, this.#tagsAgree(tokens) ? this.#tags[count - 1]?.line : undefined);
    }
  }

  /** The line of the first tag up to which the template cannot be cut into tokens. */
  #lineOfBadCharacter(): number | undefined {
    return this.#tags.find((tag) => {
      try {
        tokenize(this.#source.slice(0, tag.end), WHITESPACE);
        return false;
      } catch {
        return true;
      }
    })?.line;
  }

  #tagsAgree(tokens: readonly Token[]): boolean {
    const generation = this.#tags.filter((tag) => /^(end)?generation$/.test(tag.word)).length;
    return tokens.filter(isOpening).length === this.#tags.length - generation;
  }

  /** Renders again with a mark before every tag that says its line; the last one said is where it stops. */
  #lineOfFailure(variables: Record<string, unknown>): number | undefined {
    const tokens = tokenize(this.#source, WHITESPACE);
    if (!this.#tagsAgree(tokens)) return undefined;
    const tags = this.#tags.filter((tag) => !/^(end)?generation$/.test(tag.word));
    let line: number | undefined;
    let next = 0;
    const marked = tokens.flatMap((token) => (isOpening(token) ? [...lineMark(tags[next++].line), token] : [token]));
    const globals = pythonGlobals(this.#now);
    globals.set(LINE_MARK, (at: number) => {
      line = at;
      return '';
    });
    try {
      run(asPython(parse(marked)), globals, variables);
    } catch {
      return line;
    }
    return undefined;
  }
}

function run(program: Program, globals: Environment, variables: Record<string, unknown>): string {
  const environment = new Environment(globals);
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return new Interpreter(environment).run(program).value as string;
}

function isOpening(token: Token): boolean {
  return token.type === 'OpenStatement' || token.type === 'OpenExpression';
}

/** The tokens of `{{ mark(line) }}`. */
function lineMark(line: number): Token[] {
  return [
    { type: 'OpenExpression', value: '{{' },
    { type: 'Identifier', value: LINE_MARK },
    { type: 'OpenParen', value: '(' },
    { type: 'NumericLiteral', value: String(line) },
    { type: 'CloseParen', value: ')' },
    { type: 'CloseExpression', value: '}}' },
  ];
}
