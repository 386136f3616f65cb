/** Files of a hub read by range, without being stored: what was read last stays in memory. Knows no format. */
import { type ByteSource, checkRange } from '#base/bytes.ts';
import type { Hub, HubFile, HubFileRef } from '#storage/hub.ts';

const BLOCK_BYTES = 4_194_304;
/** Of all files of a model together. */
const CACHE_BYTES = 67_108_864;

/** Blocks by file and number; the one that was not used for the longest goes first. */
class BlockCache {
  readonly #blocks = new Map<string, Uint8Array>();
  #sizeBytes = 0;

  get(key: string): Uint8Array | undefined {
    const block = this.#blocks.get(key);
    if (block === undefined) return undefined;
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  set(key: string, block: Uint8Array): void {
    if (this.#blocks.has(key)) return;
    this.#blocks.set(key, block);
    this.#sizeBytes += block.byteLength;
    for (const [oldest, { byteLength }] of this.#blocks) {
      if (this.#sizeBytes <= CACHE_BYTES) break;
      this.#blocks.delete(oldest);
      this.#sizeBytes -= byteLength;
    }
  }
}

/**
 * Sources of a repository's files at a commit, by their paths. Each read fetches the blocks that are not in memory, those that follow each
 * other in one request.
 * @throws AppError of the hub, out of `read`
 */
export function openFromHub(
  hub: Hub,
  repository: Pick<HubFileRef, 'kind' | 'id' | 'revision'>,
  files: readonly HubFile[],
  { signal, blockBytes = BLOCK_BYTES }: { signal?: AbortSignal; blockBytes?: number } = {},
): Map<string, ByteSource> {
  const cache = new BlockCache();
  const reader: Reader = { hub, cache, blockBytes, signal };
  return new Map(files.map((file) => [file.path, sourceOf(reader, { ...repository, path: file.path }, file.sizeBytes)]));
}

interface Reader {
  hub: Hub;
  cache: BlockCache;
  blockBytes: number;
  signal?: AbortSignal;
}

function sourceOf({ hub, cache, blockBytes, signal }: Reader, ref: HubFileRef, sizeBytes: number): ByteSource {
  const keyOf = (block: number) => `${ref.path}\n${block}`;
  const source: ByteSource = {
    name: `${ref.id}/${ref.path}`,
    sizeBytes,
    async read(start, end) {
      checkRange(source, start, end);
      const bytes = new Uint8Array(end - start);
      const put = (block: number, content: Uint8Array) => {
        const from = block * blockBytes;
        const part = content.subarray(Math.max(0, start - from), Math.max(0, end - from));
        bytes.set(part, Math.max(0, from - start));
      };
      const last = end > start ? Math.ceil(end / blockBytes) : 0;
      let block = Math.floor(start / blockBytes);
      while (block < last) {
        const known = cache.get(keyOf(block));
        if (known !== undefined) {
          put(block++, known);
          continue;
        }
        const first = block++;
        while (block < last && cache.get(keyOf(block)) === undefined) block++;
        const [from, to] = [first * blockBytes, Math.min(block * blockBytes, sizeBytes)];
        const answer = await hub.readRange(ref, from, to, signal);
        if (answer.totalBytes !== sizeBytes) {
          throw hub.requests.failures.failed(ref, `a file of ${answer.totalBytes} bytes`, `${sizeBytes} bytes, as the hub lists it`);
        }
        for (let i = first; i < block; i++) {
          // A copy: a part would hold on to all that was read with it.
          const content = answer.bytes.slice((i - first) * blockBytes, (i - first + 1) * blockBytes);
          cache.set(keyOf(i), content);
          put(i, content);
        }
      }
      return bytes;
    },
  };
  return source;
}
