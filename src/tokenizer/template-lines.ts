/** Where the tags of a Jinja template are, and whether its blocks are closed: for errors with lines. Carries nothing out. */

export interface TemplateTag {
  /** From 1. */
  line: number;
  /** The tag is `[start, end)` of the source; `end` is the source's length where it is never closed. */
  start: number;
  end: number;
  isClosed: boolean;
  /** The first word of a `{% ... %}`; empty for `{{ ... }}`. */
  word: string;
}

export interface TemplateProblem {
  line: number;
  message: string;
}

/** The `{% ... %}` and `{{ ... }}` of a template in order, comments left out. */
export function findTags(source: string): TemplateTag[] {
  const tags: TemplateTag[] = [];
  let line = 1;
  let counted = 0;
  for (let at = nextOpening(source, 0); at >= 0;) {
    for (; counted < at; counted++) if (source[counted] === '\n') line++;
    if (source[at + 1] === '#') {
      const close = source.indexOf('#}', at + 2);
      at = close < 0 ? -1 : nextOpening(source, close + 2);
      continue;
    }
    const close = closingOf(source, at);
    const end = close < 0 ? source.length : close;
    const word = source[at + 1] === '%' ? (/^\{%[-+]?\s*(\w*)/.exec(source.slice(at, end))?.[1] ?? '') : '';
    tags.push({ line, start: at, end, isClosed: close >= 0, word });
    at = nextOpening(source, end);
  }
  return tags;
}

function nextOpening(source: string, from: number): number {
  const found = source.slice(from).search(/\{[%{#]/);
  return found < 0 ? -1 : from + found;
}

/** The end of the tag that opens at `at`, or -1. Strings and braces inside it do not end it. */
function closingOf(source: string, at: number): number {
  const closing = source[at + 1] === '%' ? '%}' : '}}';
  let depth = 0;
  for (let i = at + 2; i < source.length; i++) {
    const character = source[i];
    if (character === '"' || character === "'") {
      for (i++; i < source.length && source[i] !== character; i++) if (source[i] === '\\') i++;
    } else if (source.startsWith(closing, i) && (depth === 0 || closing === '%}')) {
      return i + 2;
    } else if (character === '{') {
      depth++;
    } else if (character === '}') {
      depth--;
    }
  }
  return -1;
}

/** The last four are jinja2's, not the library's: it says so at their first tag. */
const BLOCKS = new Set(['if', 'for', 'macro', 'call', 'filter', 'set', 'generation', 'raw', 'with', 'block', 'autoescape']);

/** The first tag that is not closed, or block whose end is missing or another's; null where all is well. */
export function findUnclosed(source: string, tags: readonly TemplateTag[]): TemplateProblem | null {
  const open: TemplateTag[] = [];
  for (const tag of tags) {
    if (!tag.isClosed) return { line: tag.line, message: `the tag ${firstLine(source.slice(tag.start))} is never closed` };
    if (BLOCKS.has(tag.word)) {
      // {% set x = 1 %} is no block, {% set x %} is.
      if (tag.word !== 'set' || !source.slice(tag.start, tag.end).includes('=')) open.push(tag);
    } else if (tag.word.startsWith('end')) {
      const block = open.pop();
      if (block === undefined) return { line: tag.line, message: `{% ${tag.word} %} closes nothing` };
      if (tag.word !== `end${block.word}`) {
        const expected = `{% end${block.word} %} for the {% ${block.word} %} of line ${block.line}`;
        return { line: tag.line, message: `{% ${tag.word} %} was found where ${expected} was expected` };
      }
    }
  }
  const last = open.at(-1);
  return last === undefined ? null : { line: last.line, message: `{% ${last.word} %} is never closed with {% end${last.word} %}` };
}

function firstLine(text: string): string {
  const line = text.split('\n')[0];
  return JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}...` : line);
}
