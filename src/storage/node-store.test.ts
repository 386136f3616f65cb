import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nodeStore } from '#storage/node-store.ts';
import { storeCases } from '#storage/testing/store-cases.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loratory-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('nodeStore', () => {
  test.each(storeCases)('$title', async ({ check }) => {
    // The first write makes the root, with the folder above it.
    await expect(check(nodeStore(join(folder, 'above', 'root')))).resolves.toBeUndefined();
  });

  test('writes where it says, outside the root nothing', async () => {
    await nodeStore(join(folder, 'root')).write('a/b', [Uint8Array.of(104, 105)]);
    expect(await readFile(join(folder, 'root', 'a', 'b'), 'utf8')).toBe('hi');
  });

  test('free bytes are the disk’s, before the root is made too', async () => {
    const free = await nodeStore(join(folder, 'not', 'yet')).freeBytes();
    const { stdout } = await promisify(execFile)('df', ['--output=avail', '-B1', folder]);
    const reference = Number(stdout.split('\n')[1]);
    expect(Math.abs((free ?? 0) - reference)).toBeLessThan(1e9);
  });

  test('a folder that cannot be made is told at once', async () => {
    // Node's recursive mkdir never returns from here.
    await expect(nodeStore('/proc/loratory/a').write('b', [new Uint8Array()])).rejects.toMatchObject({ code: 'storage/failed' });
  });

  test('a device without space', async () => {
    // Linux's /dev/full answers ENOSPC to every write.
    await expect(nodeStore('/dev').write('full', [new Uint8Array(100)])).rejects.toMatchObject({
      code: 'storage/quota',
      details: { file: '/dev/full', expected: 100 },
    });
  });
});
