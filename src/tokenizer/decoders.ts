/** The `decoder` of a tokenizer.json: from token strings back to text. Knows no vocabulary. */
import { bytesOfToken } from '#tokenizer/byte-level.ts';
import type { JsonField } from '#tokenizer/json-field.ts';

/** One step of decoding; the text is what the last step leaves, joined. */
export type DecodeStep = (tokens: string[]) => string[];

// The marks of a byte order are text: a decoder that drops them loses what was encoded.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const strictUtf8 = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/**
 * Compiles a `decoder`, with the behaviour of the `tokenizers` library 0.23 (the JavaScript one differs: it drops byte-order marks
 * and merges broken bytes in ByteFallback, zeroes characters outside the byte alphabet, keeps all but one space in Metaspace).
 * @throws AppError `tokenizer/unsupported` for a type that is not here, `tokenizer/invalid` for a broken one.
 */
export function compileDecoder(decoder: JsonField): DecodeStep {
  if (decoder.missing) return (tokens) => [tokens.join(' ')];
  const type = decoder.get('type').oneOf(['ByteLevel', 'ByteFallback', 'Fuse', 'Metaspace', 'Replace', 'Sequence', 'Strip']);
  switch (type) {
    case 'ByteLevel':
      return (tokens) => [decodeByteLevel(tokens)];
    case 'ByteFallback':
      return decodeByteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Metaspace':
      return metaspaceStep(decoder);
    case 'Replace': {
      const pattern = decoder.get('pattern').get('String').string();
      const content = decoder.get('content').string();
      return (tokens) => tokens.map((token) => token.replaceAll(pattern, () => content));
    }
    case 'Strip':
      return stripStep(decoder);
    case 'Sequence': {
      const steps = decoder.get('decoders').items().map(compileDecoder);
      return (tokens) => steps.reduce((left, step) => step(left), tokens);
    }
  }
}

/** Whether the tokens are written in byte characters. */
export function isByteLevelDecoder(decoder: JsonField): boolean {
  if (decoder.missing) return false;
  const type = decoder.get('type').value;
  return type === 'ByteLevel' || (type === 'Sequence' && decoder.get('decoders').items().some(isByteLevelDecoder));
}

function decodeByteLevel(tokens: readonly string[]): string {
  const parts = tokens.map(bytesOfToken);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return utf8.decode(bytes);
}

/** The byte of a token like `<0x0A>`, or -1. */
export function fallbackByte(token: string): number {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : -1;
}

/** Runs of `<0x..>` become their text; a run that is not UTF-8 becomes one replacement character a byte. */
function decodeByteFallback(tokens: readonly string[]): string[] {
  const out: string[] = [];
  let run: number[] = [];
  const endRun = () => {
    if (run.length === 0) return;
    try {
      out.push(strictUtf8.decode(Uint8Array.from(run)));
    } catch {
      out.push('\ufffd'.repeat(run.length));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = fallbackByte(token);
    if (byte >= 0) {
      run.push(byte);
    } else {
      endRun();
      out.push(token);
    }
  }
  endRun();
  return out;
}

function metaspaceStep(decoder: JsonField): DecodeStep {
  const mark = decoder.get('replacement').string();
  const dropsFirst = prependScheme(decoder) !== 'never';
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && dropsFirst ? '' : ' '));
}

/** `prepend_scheme` of a Metaspace, which older files call `add_prefix_space`. */
export function prependScheme(metaspace: JsonField): 'always' | 'first' | 'never' {
  if (!metaspace.get('add_prefix_space').boolean(true)) return 'never';
  const scheme = metaspace.get('prepend_scheme');
  return scheme.missing ? 'always' : scheme.oneOf(['always', 'first', 'never']);
}

function stripStep(decoder: JsonField): DecodeStep {
  const content = decoder.get('content').string();
  const start = decoder.get('start').id();
  const stop = decoder.get('stop').id();
  return (tokens) =>
    tokens.map((token) => {
      let from = 0;
      let to = token.length;
      while (from < start && token[from] === content) from++;
      while (token.length - to < stop && to > from && token[to - 1] === content) to--;
      return token.slice(from, to);
    });
}
