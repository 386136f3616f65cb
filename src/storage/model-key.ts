/** A fingerprint of a model's files, so that a run finds its model again. Knows bytes, no format. */
import type { ByteSource } from '#base/bytes.ts';
import { sha256Hex } from '#storage/file-store.ts';

/** Of each file so many bytes at either end: a file of gigabytes is told from another without being read. */
const EDGE_BYTES = 65_536;

/** SHA-256 over each file's name, size and both ends. Weights that differ in the middle alone are taken for the same. */
export async function modelKey(files: ReadonlyMap<string, ByteSource>): Promise<string> {
  const lines: string[] = [];
  for (const [path, source] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const head = await source.read(0, Math.min(EDGE_BYTES, source.sizeBytes));
    const tail = await source.read(Math.max(0, source.sizeBytes - EDGE_BYTES), source.sizeBytes);
    lines.push(`${path}\n${source.sizeBytes}\n${await sha256Hex(head)}\n${await sha256Hex(tail)}`);
  }
  return sha256Hex(new TextEncoder().encode(lines.join('\n')));
}
