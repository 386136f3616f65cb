/** Whether a sequence begins and its answers end as the model wants it: one token each. Knows tokens, no templates. */
import type { Sequence } from '#data/batch.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export type EndProblem = 'missing-beginning' | 'doubled-beginning' | 'missing-end' | 'doubled-end';

/** Looks at sequences of one tokenizer. */
export class TokenEnds {
  readonly #tokenizer: Tokenizer;
  readonly #wantsBeginning: boolean;
  /** By token: 's' a special one, 'w' blanks, 'x' anything else. */
  readonly #kinds = new Map<number, 's' | 'w' | 'x'>();

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    const { bosId } = tokenizer;
    this.#wantsBeginning = bosId !== null && tokenizer.encode('', { addSpecialTokens: true })[0] === bosId;
  }

  /**
   * What is wrong at the ends. Each run of tokens with loss is an answer; it has to end with the end token or another special one, such as
   * a template's end of turn, blanks aside. `isCut`: the end was cut off, so that the last answer need not end.
   */
  problems({ tokens, lossMask }: Sequence, isCut: boolean): Set<EndProblem> {
    const found = new Set<EndProblem>();
    const { bosId } = this.#tokenizer;
    if (this.#wantsBeginning && tokens[0] !== bosId) found.add('missing-beginning');
    if (bosId !== null && tokens[0] === bosId && tokens[1] === bosId) found.add('doubled-beginning');
    for (let i = 1; i <= tokens.length; i++) {
      const isEnd = lossMask[i - 1] === 1 && (i === tokens.length || lossMask[i] === 0);
      if (!isEnd || (isCut && i === tokens.length)) continue;
      const last = this.#beforeBlanks(tokens, i);
      if (last < 0 || !this.#isEnding(tokens[last])) found.add('missing-end');
      else if (tokens[this.#beforeBlanks(tokens, last)] === tokens[last]) found.add('doubled-end');
    }
    return found;
  }

  /** The last token before `end` that is no blank; -1 where there is none. */
  #beforeBlanks(tokens: Uint32Array, end: number): number {
    let at = end - 1;
    while (at >= 0 && this.#kind(tokens[at]) === 'w') at--;
    return at;
  }

  #isEnding(token: number): boolean {
    return token === this.#tokenizer.eosId || this.#kind(token) === 's';
  }

  #kind(token: number): 's' | 'w' | 'x' {
    const known = this.#kinds.get(token);
    if (known !== undefined) return known;
    const isSpecial = this.#tokenizer.decode([token], { skipSpecialTokens: true }) === '' && this.#tokenizer.tokenText(token) !== '';
    const kind = isSpecial ? 's' : this.#tokenizer.tokenText(token).trim() === '' ? 'w' : 'x';
    this.#kinds.set(token, kind);
    return kind;
  }
}
