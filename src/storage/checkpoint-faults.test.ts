/** Checkpoints on a store that crashes at any change and byte, is full at any byte, or turns a bit over. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Random } from '#base/random.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { nodeStore } from '#storage/node-store.ts';
import { filesOf, recordOperations, STEPS, strike } from '#storage/testing/checkpoint-faults.ts';
import { drawFault, type Fault, flipByte } from '#storage/testing/faulty-store.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const operations = await recordOperations(memoryStore());

/** Every problem of the faults, each on an empty store; and how many of them struck. */
async function strikeAll(faults: readonly Fault[], makeStore = memoryStore): Promise<{ problems: string[]; struck: number }> {
  const problems: string[] = [];
  let struck = 0;
  for (const fault of faults) {
    const result = await strike(makeStore(), fault);
    problems.push(...result.problems);
    if (result.done !== null) struck++;
  }
  return { problems, struck };
}

describe('a checkpoint', () => {
  test('survives a crash in every change, at its first and last bytes and between', async () => {
    const faults = operations.flatMap(({ sizeBytes }, operation): Fault[] => {
      const places = new Set([0, 1, Math.floor(sizeBytes / 2), sizeBytes - 1, sizeBytes].filter((at) => at >= 0 && at <= sizeBytes));
      return [...places].map((atByte) => ({ kind: 'crash', operation, atByte, seed: operation }));
    });
    expect(faults.length).toBeGreaterThan(100);
    expect(await strikeAll(faults)).toEqual({ problems: [], struck: faults.length });
  });

  test('survives a crash at every byte of a manifest', async () => {
    const operation = operations.findLastIndex(({ path, kind }) => kind === 'write' && path.endsWith('manifest.json'));
    const faults = Array.from({ length: operations[operation].sizeBytes + 1 }, (_, atByte): Fault => ({
      kind: 'crash',
      operation,
      atByte,
    }));
    expect(await strikeAll(faults)).toEqual({ problems: [], struck: faults.length });
  });

  test('survives a disk that is full at any byte, whether it was told beforehand or not', async () => {
    const written = operations.reduce((sum, { kind, sizeBytes }) => (kind === 'remove' ? sum : sum + sizeBytes), 0);
    const faults = Array.from({ length: 100 }, (_, i): Fault => {
      return { kind: 'full', bytes: Math.floor((written * (i >> 1)) / 50), isTold: i % 2 === 1 };
    });
    const { problems, struck } = await strikeAll(faults);
    expect(problems).toEqual([]);
    expect(struck).toBeGreaterThanOrEqual(50); // where it is told, the write is not begun
  });

  test('names the file of every byte that is turned over', async () => {
    const last = `checkpoints/${STEPS.at(-1)}/`;
    const manifest = operations.findIndex(({ path, kind }) => kind === 'write' && path.endsWith(`${last}manifest.json`));
    const everyManifestByte = Array.from({ length: operations[manifest].sizeBytes }, (_, atByte): Fault => {
      return { kind: 'flip', operation: manifest, atByte, mask: 1 << (atByte % 8) };
    });
    const endsOfFiles = operations.flatMap(({ kind, sizeBytes }, operation): Fault[] => {
      if (kind === 'remove' || sizeBytes === 0) return [];
      return [0, Math.floor(sizeBytes / 2), sizeBytes - 1].map((atByte) => ({ kind: 'flip', operation, atByte, mask: 0x80 }));
    });
    const faults = [...everyManifestByte, ...endsOfFiles];
    expect(faults.length).toBeGreaterThan(500);
    expect(await strikeAll(faults)).toEqual({ problems: [], struck: faults.length });
  });

  test('survives faults drawn by a seed', async () => {
    const random = new Random(20261125);
    const faults = Array.from({ length: 300 }, () => drawFault(random, operations));
    expect(new Set(faults.map(({ kind }) => kind)).size).toBe(3);
    const { problems, struck } = await strikeAll(faults);
    expect(problems).toEqual([]);
    expect(struck).toBeGreaterThan(200);
  });

  test('survives a crash while the next process tidies after the first', async () => {
    const random = new Random(7);
    for (let i = 0; i < 100; i++) {
      const store = memoryStore();
      await new CheckpointFolder(store, 'runs/r').write(5, filesOf(5));
      // What a first crash left of a later step: some files, cut off.
      for (const [name, bytes] of Object.entries(filesOf(10)).slice(0, random.below(5))) {
        await store.write(`runs/r/checkpoints/10/${name}`, [bytes.subarray(0, random.below(bytes.length + 1))]);
      }
      const fault: Fault = { kind: 'crash', operation: random.below(6), atByte: random.below(400), seed: random.uint32() };
      expect((await strike(store, fault, 5)).problems).toEqual([]);
    }
  });

  test('on a disk, a twentieth of it', async () => {
    const random = new Random(1);
    const root = await mkdtemp(join(tmpdir(), 'loratory-'));
    try {
      for (let i = 0; i < 25; i++) {
        const { problems } = await strike(nodeStore(join(root, String(i))), drawFault(random, operations));
        expect(problems).toEqual([]);
      }
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test('that is spoilt long after it was written is named too', async () => {
    const store = memoryStore();
    const checkpoints = new CheckpointFolder(store, 'runs/r');
    for (const step of [10, 20]) await checkpoints.write(step, filesOf(step));
    await flipByte(store, 'runs/r/checkpoints/20/optimizer.safetensors', 1000, 4);
    expect(await checkpoints.latest()).toMatchObject({
      step: 10,
      files: filesOf(10),
      damaged: [{ step: 20, file: 'optimizer.safetensors' }],
    });
  });
});
