/** The 256 characters in which byte-level vocabularies write bytes. Knows no vocabulary. */

/**
 * The character of each byte: printable Latin-1 stands for itself, the other 68 bytes are U+0100 and up in order.
 * @source https://github.com/openai/gpt-2/blob/master/src/encoder.py (bytes_to_unicode)
 */
export const BYTE_CHARACTERS: readonly string[] = (() => {
  let next = 0x100;
  const isPrintable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

const CHARACTER_BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();

export function isByteLevel(token: string): boolean {
  for (const character of token) if (!CHARACTER_BYTES.has(character)) return false;
  return true;
}

/** A text in byte characters: " é" is "ĠÃ©". */
export function toByteCharacters(text: string): string {
  let out = '';
  for (const byte of encoder.encode(text)) out += BYTE_CHARACTERS[byte];
  return out;
}

/** The bytes of a token. A token with any other character is not byte-level: it stands for its own UTF-8, whole. */
export function bytesOfToken(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = CHARACTER_BYTES.get(token[i]);
    if (byte === undefined) return encoder.encode(token);
    bytes[i] = byte;
  }
  return bytes;
}
