/** Rows of plain text: where paragraphs or lines are. Knows bytes, no dataset. */
import { chunksOf, RowIndex } from '#formats/row-index.ts';
import { decodeUtf8, type Utf8Source } from '#formats/text-encoding.ts';

export type TextUnit = 'paragraph' | 'line';

/** The one column of a text file. */
export const TEXT_COLUMN = 'text';

/**
 * A row a paragraph, which blank lines part, where the file has a blank line between its texts; else a row a line.
 * Blanks around a row are no part of it.
 */
export async function indexText({ source, start }: Utf8Source): Promise<{ index: RowIndex; unit: TextUnit }> {
  const [lines, paragraphs] = [new RowIndex(source), new RowIndex(source)];
  /** Of the paragraph and of the line: the first byte that is no blank, and the last. */
  let [paragraph, line, last] = [-1, -1, -1];
  const endLine = (): void => {
    if (line >= 0) lines.push(line, last + 1);
    else if (paragraph >= 0) {
      paragraphs.push(paragraph, last + 1);
      paragraph = -1;
    }
    line = -1;
  };
  let previous = 10;
  for await (const { bytes, offset } of chunksOf(source, start)) {
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      // Lines end with a line feed, or with the carriage return of an old Macintosh.
      if (byte === 10) {
        if (previous !== 13) endLine();
      } else if (byte === 13) {
        endLine();
      } else if (byte > 32) {
        last = offset + i;
        if (line < 0) line = last;
        if (paragraph < 0) paragraph = last;
      }
      previous = byte;
    }
  }
  if (line >= 0) lines.push(line, last + 1);
  if (paragraph >= 0) paragraphs.push(paragraph, last + 1);
  return paragraphs.length > 1 ? { index: paragraphs, unit: 'paragraph' } : { index: lines, unit: 'line' };
}

/** The text of a row. @throws AppError `data/invalid` naming the byte that is not UTF-8. */
export function parseTextRow(file: Utf8Source, bytes: Uint8Array, offset: number): Record<string, string> {
  return { [TEXT_COLUMN]: decodeUtf8(file.source, bytes, offset) };
}
