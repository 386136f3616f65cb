/** Added tokens: finding them, whole, in a text before anything else sees it. Knows no model. */

export interface AddedToken {
  id: number;
  content: string;
  /** Left out by `decode` when special tokens are skipped. */
  special: boolean;
  /** Sought in the normalised text instead of the text as it came. */
  normalized: boolean;
  /** Takes the whitespace on its left, or right, with it. */
  lstrip: boolean;
  rstrip: boolean;
  /** Found only where no word character touches it. */
  singleWord: boolean;
}

/** A stretch of text, or an added token found in it. */
export interface Section {
  text: string;
  token: AddedToken | null;
}

interface TrieNode {
  next: Map<number, TrieNode>;
  token: AddedToken | null;
}

const SPACE_BEFORE = /\p{White_Space}*$/u;
const SPACE_AFTER = /^\p{White_Space}*/u;
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const WORD_BEFORE = new RegExp(`${WORD}$`, 'u');
const WORD_AFTER = new RegExp(`^${WORD}`, 'u');

/**
 * Splits at added tokens: at the leftmost one, the longest where several begin at the same place.
 * @source https://github.com/huggingface/tokenizers (tokenizer/added_vocabulary.rs, find_matches)
 */
export class AddedTokenSplitter {
  readonly #root: TrieNode = { next: new Map(), token: null };

  /** Adds a token under the text in which it is sought, which is its content or the normalised content. */
  add(text: string, token: AddedToken): void {
    let node = this.#root;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      let next = node.next.get(code);
      if (next === undefined) {
        next = { next: new Map(), token: null };
        node.next.set(code, next);
      }
      node = next;
    }
    if (text !== '') node.token ??= token;
  }

  split(text: string): Section[] {
    const sections: Section[] = [];
    let start = 0;
    let i = 0;
    while (i < text.length) {
      const found = this.#longestAt(text, i);
      if (found === null) {
        i++;
        continue;
      }
      const { token, end } = found;
      // Two code units hold the nearest character.
      if (token.singleWord && (WORD_BEFORE.test(text.slice(Math.max(start, i - 2), i)) || WORD_AFTER.test(text.slice(end, end + 2)))) {
        i = end;
        continue;
      }
      let left = i;
      let right = end;
      if (token.lstrip) left -= (SPACE_BEFORE.exec(text.slice(start, i)) as RegExpExecArray)[0].length;
      if (token.rstrip) right += (SPACE_AFTER.exec(text.slice(end)) as RegExpExecArray)[0].length;
      if (left > start) sections.push({ text: text.slice(start, left), token: null });
      sections.push({ text: text.slice(left, right), token });
      start = right;
      i = right;
    }
    if (start < text.length) sections.push({ text: text.slice(start), token: null });
    return sections;
  }

  #longestAt(text: string, from: number): { token: AddedToken; end: number } | null {
    let node = this.#root.next.get(text.charCodeAt(from));
    let found: { token: AddedToken; end: number } | null = null;
    for (let i = from + 1; node !== undefined; i++) {
      if (node.token !== null) found = { token: node.token, end: i };
      if (i >= text.length) break;
      node = node.next.get(text.charCodeAt(i));
    }
    return found;
  }
}
