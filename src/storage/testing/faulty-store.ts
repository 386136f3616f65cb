/** A file store that fails as a plan says: a crash in the middle of a change, a disk that is full, a byte that flips. Wraps any store. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import { type FileStore, joinPath, quotaError, readWhole, totalSize } from '#storage/file-store.ts';

export type Fault =
  /**
   * The process dies in the change `operation` (from 0), after its first `atByte` bytes; of a removal, after so many of its files, in an
   * order drawn from `seed`. All that is asked later is refused.
   */
  | { kind: 'crash'; operation: number; atByte: number; seed?: number }
  /** No byte is written past the first `bytes`, whatever is removed. `isTold`: `freeBytes` says so beforehand. */
  | { kind: 'full'; bytes: number; isTold: boolean }
  /** Byte `atByte` of what the change `operation` writes is stored with the bits of `mask` turned over. */
  | { kind: 'flip'; operation: number; atByte: number; mask: number };

/** One change that was asked of the store. */
export interface Operation {
  kind: 'write' | 'append' | 'remove';
  path: string;
  /** To be written; of a removal, the number of files to be removed. */
  sizeBytes: number;
}

export class FaultyStore implements FileStore {
  /** Every change that was asked, the one that failed included; none after it. */
  readonly operations: Operation[] = [];
  /** What the fault did, once it has. */
  done: string | null = null;
  readonly #inner: FileStore;
  readonly #fault: Fault | null;
  #isDead = false;
  #writtenBytes = 0;

  /** Without a fault it records alone. */
  constructor(inner: FileStore, fault: Fault | null = null) {
    this.#inner = inner;
    this.#fault = fault;
  }

  /** Whether the crash has been. */
  get isDead(): boolean {
    return this.#isDead;
  }

  async list(folder: string) {
    this.#refuseDead();
    return this.#inner.list(folder);
  }

  async open(path: string): Promise<ByteSource> {
    this.#refuseDead();
    return this.#inner.open(path);
  }

  write(path: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#put('write', path, join(parts));
  }

  append(path: string, bytes: Uint8Array): Promise<void> {
    return this.#put('append', path, bytes);
  }

  async remove(path: string): Promise<void> {
    this.#refuseDead();
    const files = await filesBelow(this.#inner, path);
    const index = this.operations.push({ kind: 'remove', path, sizeBytes: files.length }) - 1;
    const fault = this.#fault;
    if (fault?.kind === 'crash' && fault.operation === index) {
      const order = new Random(fault.seed ?? 0).shuffle(files);
      for (const file of order.slice(0, fault.atByte)) await this.#inner.remove(file);
      this.#die(`removing ${path}, after ${Math.min(fault.atByte, files.length)} of ${files.length} files`);
    }
    await this.#inner.remove(path);
  }

  async freeBytes(): Promise<number | null> {
    this.#refuseDead();
    if (this.#fault?.kind !== 'full') return this.#inner.freeBytes();
    return this.#fault.isTold ? Math.max(0, this.#fault.bytes - this.#writtenBytes) : null;
  }

  async #put(kind: 'write' | 'append', path: string, bytes: Uint8Array): Promise<void> {
    this.#refuseDead();
    const index = this.operations.push({ kind, path, sizeBytes: bytes.byteLength }) - 1;
    const fault = this.#fault;
    if (fault?.kind === 'crash' && fault.operation === index) {
      await this.#pass(kind, path, bytes.subarray(0, fault.atByte));
      this.#die(`in ${kind} of ${path}, after ${Math.min(fault.atByte, bytes.byteLength)} of ${bytes.byteLength} bytes`);
    }
    if (fault?.kind === 'full' && this.#writtenBytes + bytes.byteLength > fault.bytes) {
      const found = Math.max(0, fault.bytes - this.#writtenBytes);
      await this.#pass(kind, path, bytes.subarray(0, found));
      this.#writtenBytes += found;
      this.done = `full in ${kind} of ${path}, after ${found} of ${bytes.byteLength} bytes`;
      throw quotaError(path, { expected: bytes.byteLength, found });
    }
    let stored = bytes;
    if (fault?.kind === 'flip' && fault.operation === index && fault.atByte < bytes.byteLength) {
      stored = bytes.slice();
      stored[fault.atByte] ^= fault.mask;
      this.done = `byte ${fault.atByte} of ${path} turned over by ${fault.mask}`;
    }
    await this.#pass(kind, path, stored);
    this.#writtenBytes += bytes.byteLength;
  }

  #pass(kind: 'write' | 'append', path: string, bytes: Uint8Array): Promise<void> {
    return kind === 'write' ? this.#inner.write(path, [bytes]) : this.#inner.append(path, bytes);
  }

  #die(how: string): never {
    this.#isDead = true;
    this.done = `crash ${how}`;
    throw new AppError('storage/failed', `the process died ${how}`);
  }

  #refuseDead(): void {
    if (this.#isDead) throw new AppError('storage/failed', 'the process has died: a dead one asks nothing');
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(totalSize(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}

/** Every file at or below a path, by its path; below the root for ''. */
export async function filesBelow(store: FileStore, path: string): Promise<string[]> {
  const files: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const { name, kind } of await store.list(folder)) {
      if (kind === 'folder') await visit(joinPath(folder, name));
      else files.push(joinPath(folder, name));
    }
  };
  await visit(path);
  if (files.length > 0 || path === '') return files;
  return (await store.open(path).catch(() => null)) === null ? [] : [path];
}

/** Turns over the bits of `mask` in one byte of a stored file. */
export async function flipByte(store: FileStore, path: string, atByte: number, mask: number): Promise<void> {
  const bytes = (await readWhole(store, path)).slice();
  bytes[atByte] ^= mask;
  await store.write(path, [bytes]);
}

/**
 * A fault that strikes in a course of changes that was recorded without one: each kind equally often, a crash at any change and byte.
 * The same `random` draws the same.
 */
export function drawFault(random: Random, operations: readonly Operation[]): Fault {
  const operation = random.below(operations.length);
  const size = operations[operation].sizeBytes;
  const kind = random.below(3);
  if (kind === 0) return { kind: 'crash', operation, atByte: random.below(size + 1), seed: random.uint32() };
  if (kind === 1) {
    const written = operations.reduce((sum, { kind: what, sizeBytes }) => (what === 'remove' ? sum : sum + sizeBytes), 0);
    return { kind: 'full', bytes: random.below(written), isTold: random.below(2) === 1 };
  }
  const writes = operations.flatMap((one, i) => (one.kind !== 'remove' && one.sizeBytes > 0 ? [i] : []));
  const flipped = writes[random.below(writes.length)];
  return { kind: 'flip', operation: flipped, atByte: random.below(operations[flipped].sizeBytes), mask: 1 << random.below(8) };
}
