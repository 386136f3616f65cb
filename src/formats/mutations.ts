/** For tests alone: damaged copies of a file, and a source that counts what a parser reads. Knows no format. */
import { memorySource, type ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';

/** How many damaged copies a parser gets; the long run asks for more. */
export const MUTATIONS = Number(process.env.LORATORY_MUTATIONS ?? 2000);

export interface CountingSource extends ByteSource {
  /** Bytes of all reads so far. */
  bytesRead: number;
  /** Bytes of the largest read so far. */
  largestRead: number;
}

export function countingSource(name: string, bytes: Uint8Array): CountingSource {
  const memory = memorySource(name, bytes);
  return {
    name,
    sizeBytes: bytes.byteLength,
    bytesRead: 0,
    largestRead: 0,
    async read(start, end) {
      this.bytesRead += end - start;
      this.largestRead = Math.max(this.largestRead, end - start);
      return memory.read(start, end);
    },
  };
}

const HUGE = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];

/** One copy with one to four flipped bytes, a piece cut out, an end cut off, a piece doubled, or eight bytes of a huge length. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  const length = 1 + random.below(Math.min(64, bytes.length - at));
  const copy = bytes.slice();
  switch (random.below(5)) {
    case 0:
      for (let i = random.below(4); i >= 0; i--) copy[random.below(copy.length)] = random.below(256);
      return copy;
    case 1:
      return copy.subarray(0, at);
    case 2:
      return new Uint8Array([...copy.subarray(0, at), ...copy.subarray(at + length)]);
    case 3:
      return new Uint8Array([...copy.subarray(0, at + length), ...copy.subarray(at)]);
    default:
      copy.set(HUGE.slice(0, copy.length - at), at);
      return copy;
  }
}

export interface MutationOutcome {
  /** Copies that were read as if whole: the damage hit data, or made another valid file. */
  values: number;
  /** Copies that were refused, by error code. */
  errors: Map<string, number>;
  /** Largest share of bytes read to bytes in the file. */
  readRatio: number;
  slowestMs: number;
}

/**
 * Reads `MUTATIONS` damaged copies. What is thrown is an AppError that names the file; anything else passes through, with the copy's number.
 * `prefixBytes` keeps the damage within the first bytes, where the header is.
 */
export async function readMutations(
  name: string,
  bytes: Uint8Array,
  read: (source: CountingSource) => Promise<unknown>,
  prefixBytes = bytes.length,
): Promise<MutationOutcome> {
  const random = new Random(20261124);
  const outcome: MutationOutcome = { values: 0, errors: new Map(), readRatio: 0, slowestMs: 0 };
  for (let i = 0; i < MUTATIONS; i++) {
    const head = mutate(bytes.subarray(0, prefixBytes), random);
    const copy = new Uint8Array(head.length + bytes.length - prefixBytes);
    copy.set(head);
    copy.set(bytes.subarray(prefixBytes), head.length);
    const source = countingSource(name, copy);
    const started = performance.now();
    try {
      await read(source);
      outcome.values++;
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'internal' || !error.message.includes(name)) {
        throw new Error(`damaged copy ${i}: ${String(error)}`, { cause: error });
      }
      outcome.errors.set(error.code, (outcome.errors.get(error.code) ?? 0) + 1);
    }
    outcome.slowestMs = Math.max(outcome.slowestMs, performance.now() - started);
    outcome.readRatio = Math.max(outcome.readRatio, source.bytesRead / Math.max(1, copy.length));
  }
  return outcome;
}
