/** Opens what a user gave as a model: a GGUF file, or the files of a Hugging Face folder. Shared by workers and command line. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import type { GgufValue } from '#formats/gguf.ts';
import { readGguf } from '#formats/gguf.ts';
import { findModelFolder } from '#formats/model-folder.ts';
import { type Checkpoint, openGguf, openHuggingFaceFolder } from '#formats/weights.ts';
import { tokenizerFromGguf } from '#tokenizer/gguf-tokenizer.ts';
import { type Tokenizer, openTokenizer } from '#tokenizer/tokenizer.ts';

/** The one GGUF among the files; null when there is none. @throws AppError `model/invalid` when there are several. */
function ggufOf(files: ReadonlyMap<string, ByteSource>): ByteSource | null {
  const found = [...files].filter(([path]) => path.toLowerCase().endsWith('.gguf'));
  if (found.length > 1) {
    const names = found.map(([path]) => path).join(', ');
    throw new AppError('model/invalid', `${names}: ${found.length} GGUF files were found, one was expected`, {
      found: found.length,
      expected: 1,
    });
  }
  return found[0]?.[1] ?? null;
}

/** @throws AppError of the formats, `model/*`, `tokenizer/*`, naming the file. */
export async function openModelFiles(files: ReadonlyMap<string, ByteSource>): Promise<{ checkpoint: Checkpoint; tokenizer: Tokenizer }> {
  const gguf = ggufOf(files);
  if (!gguf) {
    const checkpoint = await openHuggingFaceFolder(new Map(files));
    return { checkpoint, tokenizer: await folderTokenizer(files) };
  }
  const checkpoint = await openGguf(gguf);
  return { checkpoint, tokenizer: ggufTokenizer(checkpoint.metadata, gguf.name) };
}

/** The tokenizer alone, for the data worker: no tensor is looked at. */
export async function openTokenizerFiles(files: ReadonlyMap<string, ByteSource>): Promise<Tokenizer> {
  const gguf = ggufOf(files);
  return gguf ? ggufTokenizer((await readGguf(gguf)).metadata, gguf.name) : folderTokenizer(files);
}

function ggufTokenizer(metadata: ReadonlyMap<string, GgufValue>, file: string): Tokenizer {
  return tokenizerFromGguf(metadata, { file });
}

function folderTokenizer(files: ReadonlyMap<string, ByteSource>): Promise<Tokenizer> {
  const folder = findModelFolder(files);
  return openTokenizer(new Map(folder.names.map((name) => [name, folder.require(name)])));
}
