/** What tokenizer_config.json and the small files beside it say: named special tokens, further added tokens, templates. Knows no model. */
import type { AddedToken } from '#tokenizer/added-tokens.ts';
import { JsonField } from '#tokenizer/json-field.ts';

/** The tokens that have a name in every tokenizer. @source transformers 5.24 tokenization_utils_base.py, SPECIAL_TOKENS_ATTRIBUTES */
const NAMED_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'] as const;

export interface TokenizerSettings {
  /** Name to content, such as `bos_token` to `<s>`, each with where it was said. */
  named: Map<string, JsonField>;
  /** Tokens of `added_tokens_decoder`, which tokenizer.json may lack. */
  added: { token: AddedToken; field: JsonField }[];
  /** Contents of `extra_special_tokens` (`additional_special_tokens` in older files). */
  extra: JsonField[];
  /** Templates by name; the usual one is `default`. */
  chatTemplates: Record<string, string>;
  /** Whether decoding takes spaces before punctuation away. */
  cleansUp: boolean;
}

/** Reads an added token of tokenizer.json or of `added_tokens_decoder`. */
export function readAddedToken(field: JsonField, id: number): AddedToken {
  const special = field.get('special').boolean(false);
  const content = field.get('content');
  if (content.string() === '') throw content.invalid('text');
  return {
    id,
    content: content.string(),
    special,
    normalized: field.get('normalized').boolean(!special),
    lstrip: field.get('lstrip').boolean(false),
    rstrip: field.get('rstrip').boolean(false),
    singleWord: field.get('single_word').boolean(false),
  };
}

/**
 * Reads tokenizer_config.json and, where that has no `added_tokens_decoder`, special_tokens_map.json, which then wins (it is the older
 * of the two, and transformers reads them so). chat_template.jinja wins over `chat_template`.
 * @source transformers 5.24 tokenization_utils_base.py (_from_pretrained)
 */
export function readSettings(config: JsonField | null, specialTokensMap: JsonField | null, templateFile: string | null): TokenizerSettings {
  const settings: TokenizerSettings = { named: new Map(), added: [], extra: [], chatTemplates: {}, cleansUp: false };
  if (config !== null) {
    readNames(config, settings);
    const decoder = config.get('added_tokens_decoder');
    if (!decoder.missing) {
      for (const id of Object.keys(decoder.record())) {
        const field = decoder.get(id);
        if (!/^\d+$/.test(id))
          throw field.error('tokenizer/invalid', `the key ${JSON.stringify(id)} was found, a token id was expected`, id);
        settings.added.push({ token: readAddedToken(field, new JsonField(field.file, field.path, Number(id)).id()), field });
      }
      settings.added.sort((a, b) => a.token.id - b.token.id);
    }
    settings.chatTemplates = readTemplates(config.get('chat_template'));
    // transformers 5 cleans up after a BPE tokenizer only when told twice; every model here is one.
    settings.cleansUp =
      config.get('clean_up_tokenization_spaces').boolean(false) &&
      config.get('clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output').boolean(false);
  }
  if (specialTokensMap !== null && (config === null || config.get('added_tokens_decoder').missing)) readNames(specialTokensMap, settings);
  if (templateFile !== null) settings.chatTemplates = { default: templateFile };
  return settings;
}

function readNames(file: JsonField, settings: TokenizerSettings): void {
  for (const [key, value] of Object.entries(file.record())) {
    const field = file.get(key);
    const isNamed = (NAMED_TOKENS as readonly string[]).includes(key);
    if (isNamed && field.missing) continue;
    if (typeof value === 'string' && key.endsWith('_token')) settings.named.set(key, field);
    else if (key.endsWith('_token') && (isNamed || isTokenObject(value))) {
      field.get('content').string();
      settings.named.set(key, field.get('content'));
    } else if ((key === 'extra_special_tokens' || key === 'additional_special_tokens') && !field.missing) {
      readExtra(field, settings);
    }
  }
}

function isTokenObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>).content === 'string';
}

/** A list of tokens, or an object of tokens with names of their own. */
function readExtra(field: JsonField, settings: TokenizerSettings): void {
  if (Array.isArray(field.value)) {
    for (const item of field.items()) {
      const content = isTokenObject(item.value) ? item.get('content') : item;
      content.string();
      settings.extra.push(content);
    }
    return;
  }
  for (const [name, value] of Object.entries(field.record())) {
    const content = isTokenObject(value) ? field.get(name).get('content') : field.get(name);
    content.string();
    settings.named.set(name, content);
  }
}

/** A template, or a list of templates with names. */
function readTemplates(field: JsonField): Record<string, string> {
  if (field.missing) return {};
  if (typeof field.value === 'string') return { default: field.value };
  return Object.fromEntries(field.items().map((item) => [item.get('name').string(), item.get('template').string()]));
}

/** The ids that `eos_token_id` of a generation_config.json names: one, a list, or none. */
export function readEosIds(generationConfig: JsonField): number[] {
  const field = generationConfig.get('eos_token_id');
  if (field.missing) return [];
  return Array.isArray(field.value) ? field.items().map((item) => item.id()) : [field.id()];
}
