/** A tokenizer.json put together: added tokens, normalizer, pre-tokenizer, BPE model, special tokens around, decoder. Knows no files. */
import { Tokenizer as LibraryTokenizer, type Normalizer, type PreTokenizer } from '@huggingface/tokenizers';
import { AddedTokenSplitter, type AddedToken } from '#tokenizer/added-tokens.ts';
import { BpeModel } from '#tokenizer/bpe-model.ts';
import { bytesOfToken } from '#tokenizer/byte-level.ts';
import { compileDecoder, fallbackByte, isByteLevelDecoder, type DecodeStep } from '#tokenizer/decoders.ts';
import { JsonField } from '#tokenizer/json-field.ts';
import { compilePostProcessor, type Surround } from '#tokenizer/post-processor.ts';
import { libraryNormalizer, libraryPreTokenizer, withoutLastBytes, type LibraryConfig } from '#tokenizer/pre-tokenizers.ts';
import { readAddedToken, type TokenizerSettings } from '#tokenizer/special-tokens.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

export class BpeTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  readonly eosIds: readonly number[];
  readonly chatTemplates: Readonly<Record<string, string>>;
  readonly specialTokens: Readonly<Record<string, string>>;

  readonly #model: BpeModel;
  readonly #normalizer: Normalizer | null;
  readonly #preTokenizer: PreTokenizer | null;
  readonly #around: Surround;
  readonly #decode: DecodeStep;
  readonly #isByteLevel: boolean;
  readonly #cleansUp: boolean;
  readonly #addedById = new Map<number, AddedToken>();
  readonly #addedByContent = new Map<string, AddedToken>();
  readonly #specialContents = new Set<string>();
  /** Content by id; a hole is undefined. */
  readonly #contents: (string | undefined)[] = [];
  /** Added tokens sought in the text as it comes, and in the normalised text. */
  readonly #splitter = new AddedTokenSplitter();
  readonly #normalizedSplitter = new AddedTokenSplitter();

  /** @throws AppError `tokenizer/invalid` or `tokenizer/unsupported` */
  constructor(json: JsonField, settings: TokenizerSettings, generationEosIds: readonly number[]) {
    json.record();
    const { config, endsInBytes } = withoutLastBytes(libraryPreTokenizer(json.get('pre_tokenizer')));
    this.#model = new BpeModel(json.get('model'), endsInBytes);
    const library = this.#library(json, config);
    this.#normalizer = library.normalizer;
    this.#preTokenizer = library.pre_tokenizer;
    this.#decode = compileDecoder(json.get('decoder'));
    this.#isByteLevel = isByteLevelDecoder(json.get('decoder'));
    this.#cleansUp = settings.cleansUp;

    for (const [token, id] of this.#model.vocab) this.#contents[id] = token;
    const modelSize = this.#contents.length;
    if (!json.get('added_tokens').missing) {
      for (const field of json.get('added_tokens').items()) this.#add(readAddedToken(field, field.get('id').id()), field);
    }
    for (const { token, field } of settings.added) if (!this.#addedByContent.has(token.content)) this.#add(token, field);
    for (const field of [...settings.named.values(), ...settings.extra]) this.#addSpecial(field);
    this.#checkHoles(json, modelSize);

    this.vocabSize = this.#contents.length;
    this.#around = compilePostProcessor(json.get('post_processor'), (id) => this.#contents[id] !== undefined);
    this.specialTokens = Object.fromEntries([...settings.named].map(([name, field]) => [name, field.string()]));
    this.bosId = this.#idOf(this.specialTokens.bos_token);
    this.eosId = this.#idOf(this.specialTokens.eos_token);
    this.padId = this.#idOf(this.specialTokens.pad_token);
    this.eosIds = [...new Set([...(this.eosId === null ? [] : [this.eosId]), ...generationEosIds])];
    for (const id of generationEosIds) {
      if (this.#contents[id] === undefined) throw new JsonField('generation_config.json', 'eos_token_id', id).invalid('the id of a token');
    }
    this.chatTemplates = settings.chatTemplates;
  }

  get chatTemplate(): string | null {
    return this.chatTemplates.default ?? null;
  }

  encode(text: string, options: { addSpecialTokens?: boolean } = {}): Uint32Array {
    const around = options.addSpecialTokens ?? true;
    const ids: number[] = around ? [...this.#around.prefix] : [];
    for (const [i, section] of this.#splitter.split(text).entries()) {
      if (section.token === null) this.#encodeSection(section.text, i === 0, ids);
      else ids.push(section.token.id);
    }
    if (around) ids.push(...this.#around.suffix);
    return Uint32Array.from(ids);
  }

  /** Encodes text between added tokens. `isFirst` is whether the whole text begins with it, which Metaspace asks. */
  #encodeSection(text: string, isFirst: boolean, ids: number[]): void {
    const normalized = this.#normalizer === null ? text : this.#normalizer.normalize(text);
    for (const [i, section] of this.#normalizedSplitter.split(normalized).entries()) {
      if (section.token !== null) {
        ids.push(section.token.id);
        continue;
      }
      const options = { section_index: isFirst && i === 0 ? 0 : 1 };
      const pieces = this.#preTokenizer === null ? [section.text] : this.#preTokenizer.pre_tokenize(section.text, options);
      for (const piece of pieces) for (const id of this.#model.encode(piece)) ids.push(id);
    }
  }

  decode(ids: ArrayLike<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const content = this.#contents[ids[i]];
      if (content !== undefined && !(options.skipSpecialTokens && this.#specialContents.has(content))) tokens.push(content);
    }
    const text = this.#decode(tokens).join('');
    return this.#cleansUp ? cleanUp(text) : text;
  }

  tokenText(id: number): string {
    const content = this.#contents[id];
    if (content === undefined) {
      throw new JsonField('tokenizer.json', 'the token id', id).invalid(`a token id from 0 to ${this.vocabSize - 1}`);
    }
    if (this.#addedById.has(id)) return content;
    if (!this.#isByteLevel) return fallbackByte(content) >= 0 ? content : content.replaceAll('\u2581', ' ');
    const bytes = bytesOfToken(content);
    try {
      return strictUtf8.decode(bytes);
    } catch {
      return Array.from(bytes, (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
    }
  }

  /** Normalizer and pre-tokenizer of the library. @throws AppError `tokenizer/invalid` for a pattern that it cannot translate. */
  #library(json: JsonField, pre_tokenizer: LibraryConfig | null): LibraryTokenizer {
    const model = { type: 'BPE', vocab: {}, merges: [], ignore_merges: false };
    const normalizer = libraryNormalizer(json.get('normalizer'));
    const parts = { normalizer, pre_tokenizer, model, post_processor: null, decoder: null, added_tokens: [] };
    try {
      return new LibraryTokenizer(parts, {});
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw json.get('pre_tokenizer').error('tokenizer/unsupported', `its patterns cannot be carried out: ${reason}`, reason);
    }
  }

  #add(token: AddedToken, field: JsonField): void {
    const known = this.#addedByContent.get(token.content);
    if (known?.id === token.id) return;
    const owner = this.#contents[token.id];
    const id = this.#model.vocab.get(token.content) ?? known?.id ?? token.id;
    if ((owner !== undefined && owner !== token.content) || id !== token.id) {
      const expected = id === token.id ? `an id other than that of ${JSON.stringify(owner)}` : `its id ${id}`;
      const found = `${JSON.stringify(token.content)} with the id ${token.id}`;
      throw field.error('tokenizer/invalid', `${found} was found, ${expected} was expected`, found, expected);
    }
    this.#addedById.set(token.id, token);
    this.#addedByContent.set(token.content, token);
    if (token.special) this.#specialContents.add(token.content);
    const normalized = token.normalized ? (this.#normalizer?.normalize(token.content) ?? token.content) : token.content;
    (token.normalized ? this.#normalizedSplitter : this.#splitter).add(normalized, token);
    // tokenizers 0.23 decodes to the normalised content.
    this.#contents[token.id] = normalized;
  }

  /** A token with a name is a special token, found whole in a text, though tokenizer.json lists it as an ordinary one. */
  #addSpecial(field: JsonField): void {
    const content = field.string();
    if (this.#addedByContent.has(content)) return;
    const id = this.#model.vocab.get(content);
    // transformers would give it an id past the end, which no row of the embedding belongs to.
    if (id === undefined) throw field.invalid('a token of tokenizer.json');
    this.#add({ id, content, special: true, normalized: false, lstrip: false, rstrip: false, singleWord: false }, field);
  }

  /** Between the ids of the model none may be missing; past them some vocabularies reserve ids. */
  #checkHoles(json: JsonField, modelSize: number): void {
    for (let id = 0; id < modelSize; id++) {
      if (this.#contents[id] !== undefined) continue;
      const message = `no token with the id ${id} was found, one was expected for each id from 0 to ${modelSize - 1}`;
      throw json.get('model').get('vocab').error('tokenizer/invalid', message, `no token with the id ${id}`);
    }
  }

  #idOf(content: string | undefined): number | null {
    return content === undefined ? null : (this.#addedByContent.get(content)?.id ?? null);
  }
}

/** @source transformers 5.24 tokenization_utils_base.py (clean_up_tokenization) */
function cleanUp(text: string): string {
  const pairs = [' .', ' ?', ' !', ' ,', " ' ", " n't", " 'm", " 's", " 've", " 're"];
  return pairs.reduce((left, pair) => left.replaceAll(pair, pair.trim()), text);
}
