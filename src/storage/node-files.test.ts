import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNodeFile, openNodeFolder } from '#storage/node-files.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loratory-'));
  await mkdir(join(folder, 'model', 'shards'), { recursive: true });
  await mkdir(join(folder, 'model', '.git'));
  await writeFile(join(folder, 'model', 'config.json'), '{}');
  await writeFile(join(folder, 'model', '.hidden'), 'x');
  await writeFile(join(folder, 'model', '.git', 'config.json'), 'x');
  await writeFile(
    join(folder, 'model', 'shards', '1.safetensors'),
    Uint8Array.from({ length: 100 }, (_, i) => i),
  );
  await writeFile(join(folder, 'blob'), 'linked');
  await symlink(join(folder, 'blob'), join(folder, 'model', 'link.json'));
  await symlink(join(folder, 'nowhere'), join(folder, 'model', 'broken.json'));
  await symlink(folder, join(folder, 'model', 'loop'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('openNodeFile', () => {
  test('ranges of bytes', async () => {
    const path = join(folder, 'model', 'shards', '1.safetensors');
    const source = await openNodeFile(path);
    expect(source).toMatchObject({ name: path, sizeBytes: 100 });
    expect(await source.read(10, 13)).toEqual(Uint8Array.of(10, 11, 12));
    expect(await source.read(100, 100)).toHaveLength(0);
    await expect(source.read(90, 101)).rejects.toMatchObject({ code: 'format/truncated' });
  });

  test('what is not there, a folder, a file that shrank', async () => {
    await expect(openNodeFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'storage/not-found' });
    await expect(openNodeFile(join(folder, 'blob', 'x'))).rejects.toMatchObject({ code: 'storage/not-found' });
    await expect(openNodeFile(folder)).rejects.toMatchObject({ code: 'storage/failed' });
    const path = join(folder, 'shrinks');
    await writeFile(path, 'abcdef');
    const source = await openNodeFile(path);
    await truncate(path, 3);
    await expect(source.read(0, 6)).rejects.toThrow(`${path}: the file ends at byte 3 now, it had 6`);
    await rm(path);
    await expect(source.read(0, 3)).rejects.toMatchObject({ code: 'storage/not-found' });
  });
});

describe('openNodeFolder', () => {
  test('files by their path inside, links to files followed, hidden ones left out', async () => {
    const files = await openNodeFolder(join(folder, 'model'));
    expect([...files.keys()]).toEqual(['config.json', 'link.json', 'shards/1.safetensors']);
    expect(new TextDecoder().decode(await files.get('link.json')?.read(0, 6))).toBe('linked');
    expect(files.get('config.json')?.name).toBe(join(folder, 'model', 'config.json'));
  });

  test('no such folder', async () => {
    await expect(openNodeFolder(join(folder, 'none'))).rejects.toMatchObject({ code: 'storage/not-found' });
    await expect(openNodeFolder(join(folder, 'blob'))).rejects.toMatchObject({ code: 'storage/not-found' });
  });
});
