/** The `normalizer` and `pre_tokenizer` of a tokenizer.json, in terms that @huggingface/tokenizers carries out exactly. Knows no model. */
import type { JsonField } from '#tokenizer/json-field.ts';
import { prependScheme } from '#tokenizer/decoders.ts';

/** A part of a tokenizer.json as @huggingface/tokenizers takes it. */
export type LibraryConfig = { type: string } & Record<string, unknown>;

/** GPT-2's split, which `ByteLevel` applies when `use_regex` is set. */
export const GPT2_SPLIT = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** What Rust's regular expressions call `\w`; the translation's is Oniguruma's, which adds the likes of "²". */
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}`;

const regexSplit = (Regex: string, behavior = 'Isolated', invert = false): LibraryConfig => ({
  type: 'Split',
  pattern: { Regex },
  behavior,
  invert,
});

/**
 * The normalizer, checked. NFC alone of the Unicode forms: the `tokenizers` library's tables for the others are those of Unicode 9,
 * 171 characters short for NFKC. Text cases and accents are left out too: JavaScript's rules for them are not Rust's.
 * @throws AppError `tokenizer/unsupported` or `tokenizer/invalid`
 */
export function libraryNormalizer(normalizer: JsonField): LibraryConfig | null {
  if (normalizer.missing) return null;
  const type = normalizer.get('type').oneOf(['NFC', 'Prepend', 'Replace', 'Sequence']);
  switch (type) {
    case 'Prepend':
      return { type, prepend: normalizer.get('prepend').string() };
    case 'Replace': {
      // The library hands the content to String.replaceAll, where "$" has a meaning.
      const content = normalizer.get('content').string().replaceAll('$', '$$$$');
      return { type, pattern: patternOf(normalizer.get('pattern')), content };
    }
    case 'Sequence':
      return { type, normalizers: normalizer.get('normalizers').items().map(libraryNormalizer) };
    case 'NFC':
      return { type };
  }
}

/**
 * The pre-tokenizer, rewritten where @huggingface/tokenizers 0.2.0 differs from the `tokenizers` library: its ByteLevel and Whitespace
 * use JavaScript's `\s` and `\w`, its Digits knows only 0 to 9, its Metaspace never splits, its Split merges with no neighbour, loses
 * text when inverted and keeps a string that it should remove. All of them become a Split by a pattern, which it translates from
 * Oniguruma with care. What is left is the Unicode version: characters that are new in 17 are letters here and not yet there.
 * @throws AppError `tokenizer/unsupported` or `tokenizer/invalid`
 */
export function libraryPreTokenizer(preTokenizer: JsonField): LibraryConfig | null {
  if (preTokenizer.missing) return null;
  const type = preTokenizer
    .get('type')
    .oneOf(['ByteLevel', 'CharDelimiterSplit', 'Digits', 'Metaspace', 'Sequence', 'Split', 'Whitespace', 'WhitespaceSplit']);
  switch (type) {
    case 'ByteLevel':
      return byteLevel(preTokenizer);
    case 'CharDelimiterSplit':
      return regexSplit(escapePattern(preTokenizer.get('delimiter').string()), 'Removed');
    case 'Digits':
      // Rust's `is_numeric` is the categories Nd, Nl and No.
      return regexSplit(preTokenizer.get('individual_digits').boolean(false) ? String.raw`\p{N}` : String.raw`\p{N}+`);
    case 'Metaspace':
      return metaspace(preTokenizer);
    case 'Sequence':
      return { type, pretokenizers: preTokenizer.get('pretokenizers').items().map(libraryPreTokenizer) };
    case 'Split': {
      const pattern = patternOf(preTokenizer.get('pattern'));
      const source = 'Regex' in pattern ? pattern.Regex : escapePattern(pattern.String);
      const behavior = splitBehavior(preTokenizer.get('behavior'));
      const invert = preTokenizer.get('invert').boolean(false);
      if (behavior === 'Removed' && !invert && /(?<!\\)\((?!\?)/.test(source)) {
        // String.split, which the library uses here, keeps what groups capture.
        throw preTokenizer.get('pattern').unsupported('a pattern to remove without capturing groups');
      }
      return split(source, behavior, invert);
    }
    case 'Whitespace':
      return regexSplit(`[${WORD}]+|[^${WORD}\\s]+`, 'Removed', true);
    case 'WhitespaceSplit':
      return regexSplit(String.raw`\s+`, 'Removed');
  }
}

/** All pieces of a Split that keeps everything are the matches of one pattern, which is what the inverted `Removed` returns. */
function split(source: string, behavior: SplitBehavior, invert: boolean): LibraryConfig {
  const other = `(?:(?!${source})[\\s\\S])`;
  switch (behavior) {
    case 'Removed':
      return regexSplit(source, 'Removed', invert);
    case 'Isolated':
      return regexSplit(source);
    case 'Contiguous':
      return regexSplit(`(?:${source})+`);
    case 'MergedWithPrevious':
    case 'MergedWithNext': {
      // Inverted, a match is what lies between, and merges the other way.
      const endsWithMatch = (behavior === 'MergedWithPrevious') !== invert;
      return regexSplit(endsWithMatch ? `${other}*(?:${source})|${other}+` : `(?:${source})${other}*|${other}+`, 'Removed', true);
    }
  }
}

const SPLIT_BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type SplitBehavior = (typeof SPLIT_BEHAVIORS)[number];

function splitBehavior(field: JsonField): SplitBehavior {
  return field.oneOf(SPLIT_BEHAVIORS);
}

function patternOf(pattern: JsonField): { Regex: string } | { String: string } {
  return pattern.get('Regex').missing ? { String: pattern.get('String').string() } : { Regex: pattern.get('Regex').string() };
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

function byteLevel(preTokenizer: JsonField): LibraryConfig {
  const steps: LibraryConfig[] = [];
  if (preTokenizer.get('add_prefix_space').boolean(true)) {
    steps.push({ type: 'Replace', pattern: { Regex: String.raw`\A([^ ])` }, content: ' $1' });
  }
  if (preTokenizer.get('use_regex').boolean(true)) steps.push(regexSplit(GPT2_SPLIT));
  steps.push({ type: BYTES, add_prefix_space: false, use_regex: false });
  return { type: 'Sequence', pretokenizers: steps };
}

const BYTES = 'ByteLevel';

/**
 * Takes the rewriting in byte characters off the end of a pre-tokenizer, where it almost always is: done after the look-up of pieces that
 * were seen before, it is done once a word instead of once a place.
 */
export function withoutLastBytes(config: LibraryConfig | null): { config: LibraryConfig | null; endsInBytes: boolean } {
  if (config === null) return { config, endsInBytes: false };
  if (config.type === BYTES) return { config: null, endsInBytes: true };
  if (config.type !== 'Sequence') return { config, endsInBytes: false };
  const steps = config.pretokenizers as (LibraryConfig | null)[];
  const last = withoutLastBytes(steps.at(-1) ?? null);
  if (!last.endsInBytes) return { config, endsInBytes: false };
  const left = last.config === null ? steps.slice(0, -1) : [...steps.slice(0, -1), last.config];
  return { config: left.length === 0 ? null : { ...config, pretokenizers: left }, endsInBytes: true };
}

function metaspace(preTokenizer: JsonField): LibraryConfig {
  const replacement = preTokenizer.get('replacement').string();
  const whole: LibraryConfig = { type: 'Metaspace', replacement, prepend_scheme: prependScheme(preTokenizer) };
  if (!preTokenizer.get('split').boolean(true)) return whole;
  return { type: 'Sequence', pretokenizers: [whole, split(escapePattern(replacement), 'MergedWithNext', false)] };
}
