/** The `model` of a tokenizer.json, checked, and what it makes of one piece of text. Knows no normalizer or pre-tokenizer. */
import { BPE } from '@huggingface/tokenizers';
import { toByteCharacters } from '#tokenizer/byte-level.ts';
import { MAX_TOKEN_ID, type JsonField } from '#tokenizer/json-field.ts';

/** Pieces up to this length are remembered: words come again, long runs do not. */
const CACHED_PIECE_LENGTH = 48;
/** About 10 MB of pieces with their ids. */
const CACHE_PIECES = 65_536;

/** Byte-pair encoding over a checked vocabulary; the merging itself is @huggingface/tokenizers'. */
export class BpeModel {
  readonly vocab: ReadonlyMap<string, number>;
  readonly #inBytes: boolean;
  readonly #library: BPE;
  readonly #isKnown: ((character: string) => boolean) | null;
  readonly #unknownId: number | undefined;
  readonly #cache = new Map<string, readonly number[]>();

  /** @throws AppError `tokenizer/unsupported` for another model, `tokenizer/invalid` for a broken vocabulary or merges. */
  constructor(model: JsonField, inBytes: boolean) {
    this.#inBytes = inBytes;
    model.record();
    if (!model.get('type').missing) model.get('type').oneOf(['BPE']);
    if (model.get('vocab').missing) throw model.get('vocab').invalid('an object of tokens and their ids');
    if (model.get('merges').missing) throw model.get('merges').invalid('an array of merges');
    for (const key of ['continuing_subword_prefix', 'end_of_word_suffix', 'dropout']) {
      const field = model.get(key);
      if (!field.missing && field.value !== '' && field.value !== 0) throw field.unsupported('nothing');
    }
    this.vocab = readVocab(model.get('vocab'));
    const merges = readMerges(model.get('merges'), this.vocab);
    const unknown = model.get('unk_token').missing ? null : model.get('unk_token').string();
    if (unknown !== null && !this.vocab.has(unknown)) throw model.get('unk_token').invalid('a token of model.vocab');
    const byteFallback = model.get('byte_fallback').boolean(false);
    this.#unknownId = unknown === null ? undefined : this.vocab.get(unknown);
    this.#library = new BPE({
      type: 'BPE',
      vocab: Object.fromEntries(this.vocab),
      merges,
      unk_token: unknown,
      fuse_unk: model.get('fuse_unk').boolean(false),
      byte_fallback: byteFallback,
      ignore_merges: model.get('ignore_merges').boolean(false),
    });
    this.#isKnown = unknown === null ? this.#knownCharacters(byteFallback) : null;
  }

  /**
   * Token ids of a piece, which is first written in byte characters where the pre-tokenizer ends so. A character that is in no way in
   * the vocabulary becomes the unknown token; where there is none it is dropped before anything merges, as the `tokenizers` library
   * does (the JavaScript one drops it after).
   */
  encode(piece: string): readonly number[] {
    const cached = this.#cache.get(piece);
    if (cached !== undefined) return cached;
    const isKnown = this.#isKnown;
    const spelled = this.#inBytes ? toByteCharacters(piece) : piece;
    const text = isKnown === null ? spelled : Array.from(spelled).filter(isKnown).join('');
    const tokens = text === '' ? [] : this.#library._call([text]);
    const ids = tokens.map((token) => this.vocab.get(token) ?? (this.#unknownId as number));
    if (piece.length <= CACHED_PIECE_LENGTH) {
      if (this.#cache.size >= CACHE_PIECES) this.#cache.clear();
      this.#cache.set(piece, ids);
    }
    return ids;
  }

  /** The test for characters to keep, or null where every character there can be is known. */
  #knownCharacters(byteFallback: boolean): ((character: string) => boolean) | null {
    const { vocab } = this;
    const fallsBack = byteFallback && Array.from({ length: 256 }, (_, byte) => fallbackToken(byte)).every((token) => vocab.has(token));
    return fallsBack ? null : (character) => vocab.has(character);
  }
}

/** The token of a byte in vocabularies with byte fallback: `<0x0A>`. */
export function fallbackToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function readVocab(field: JsonField): Map<string, number> {
  const vocab = new Map<string, number>();
  const owners = new Map<number, string>();
  for (const [token, id] of Object.entries(field.record())) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_TOKEN_ID) throw field.get(token).invalid('a token id');
    const owner = owners.get(id);
    if (owner !== undefined) {
      const found = `the id ${id} of ${JSON.stringify(token)} is also that of ${JSON.stringify(owner)}`;
      throw field.error('tokenizer/invalid', `${found}, one id a token was expected`, found, 'one id a token');
    }
    owners.set(id, token);
    vocab.set(token, id);
  }
  if (vocab.size === 0) throw field.error('tokenizer/invalid', 'no tokens were found, at least one was expected', '0 tokens', 'tokens');
  return vocab;
}

/** Merges are `"a b"` or, in newer files, `["a", "b"]`; both sides and what they make are tokens. */
function readMerges(field: JsonField, vocab: ReadonlyMap<string, number>): [string, string][] {
  if (!Array.isArray(field.value)) throw field.invalid('an array of merges');
  return (field.value as unknown[]).map((merge, i) => {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
      throw field.items()[i].invalid('two tokens');
    }
    const [left, right] = pair as [string, string];
    for (const token of [left, right, left + right]) {
      if (vocab.has(token)) continue;
      const place = field.items()[i];
      const found = `the merge of ${JSON.stringify(left)} and ${JSON.stringify(right)}`;
      throw place.error('tokenizer/invalid', `${found} names ${JSON.stringify(token)}, a token of model.vocab was expected`, found);
    }
    return [left, right];
  });
}
