/** What every file store must do, as cases that run in Node and in a browser's worker alike. Knows no test runner. */
import { AppError } from '#base/errors.ts';
import { type FileStore, readWhole } from '#storage/file-store.ts';

export interface StoreCase {
  title: string;
  /** Given an empty store. Throws where the store is wrong. */
  check: (store: FileStore) => Promise<void>;
}

const bytes = (...values: number[]) => Uint8Array.from(values);
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff);

function same(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value instanceof Uint8Array ? [...value] : value));
  if (a !== b) throw new Error(`${what}: ${a?.slice(0, 300)} was found, ${b?.slice(0, 300)} was expected`);
}

async function refused(work: Promise<unknown>, code: string, what: string): Promise<void> {
  const found = await work.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : 'an error without a code'),
  );
  same(found, code, what);
}

const content = (store: FileStore, path: string) => readWhole(store, path);

export const storeCases: StoreCase[] = [
  {
    title: 'reads back what was written, whole and by range',
    async check(store) {
      await store.write('a/b/c.bin', [bytes(1, 2), bytes(), bytes(3, 4, 5)]);
      const source = await store.open('a/b/c.bin');
      same(source.sizeBytes, 5, 'size');
      same(await source.read(1, 4), bytes(2, 3, 4), 'a range');
      same(await source.read(5, 5), bytes(), 'an empty range');
      await refused(source.read(2, 6), 'format/truncated', 'a range past the end');
    },
  },
  {
    title: 'a shorter file leaves nothing of the longer one before it',
    async check(store) {
      await store.write('file', [pattern(70_000)]);
      same(await content(store, 'file'), pattern(70_000), 'long');
      await store.write('file', [bytes(9)]);
      same(await content(store, 'file'), bytes(9), 'short');
      await store.write('file', []);
      same(await content(store, 'file'), bytes(), 'empty');
    },
  },
  {
    title: 'lists by name with sizes, files and folders apart',
    async check(store) {
      same(await store.list(''), [], 'an empty root');
      await store.write('z', [bytes(1, 2, 3)]);
      await store.write('a/inner/deep', [bytes(1)]);
      await store.write('a/é ü.txt', [bytes(1, 2)]);
      await store.write('a/B', []);
      const file = (name: string, sizeBytes: number) => ({ name, kind: 'file', sizeBytes });
      const folder = (name: string) => ({ name, kind: 'folder', sizeBytes: 0 });
      same(await store.list(''), [folder('a'), file('z', 3)], 'the root');
      same(await store.list('a'), [file('B', 0), folder('inner'), file('é ü.txt', 2)], 'a folder');
      same(await store.list('none/at/all'), [], 'no folder');
      same(await store.list('z'), [], 'a file');
    },
  },
  {
    title: 'appends, making the file when there is none',
    async check(store) {
      await store.append('log/m.jsonl', bytes(1, 2));
      await store.append('log/m.jsonl', bytes());
      await store.append('log/m.jsonl', bytes(3));
      same(await content(store, 'log/m.jsonl'), bytes(1, 2, 3), 'the log');
      await store.write('log/m.jsonl', [bytes(7)]);
      await store.append('log/m.jsonl', bytes(8));
      same(await content(store, 'log/m.jsonl'), bytes(7, 8), 'after a write');
    },
  },
  {
    title: 'removes files and folders, and nothing when there is none',
    async check(store) {
      await store.write('runs/1/a', [bytes(1)]);
      await store.write('runs/1/deep/b', [bytes(1)]);
      await store.write('runs/10/a', [bytes(1)]);
      await store.remove('runs/1/a');
      await refused(store.open('runs/1/a'), 'storage/not-found', 'a removed file');
      await store.remove('runs/1');
      same(
        (await store.list('runs')).map(({ name }) => name),
        ['10'],
        'a removed folder',
      );
      await store.remove('runs/1');
      await store.remove('no/such/thing');
      same(await content(store, 'runs/10/a'), bytes(1), 'its neighbour');
    },
  },
  {
    title: 'what is not there or in the way is told with a code',
    async check(store) {
      await store.write('a/file', [bytes(1)]);
      await refused(store.open('none'), 'storage/not-found', 'no file');
      await refused(store.open('none/none'), 'storage/not-found', 'no folder');
      await refused(store.open('a'), 'storage/failed', 'a folder opened');
      await refused(store.write('a', [bytes(1)]), 'storage/failed', 'a folder written');
      await refused(store.write('a/file/below', [bytes(1)]), 'storage/failed', 'a file as a folder');
      same(await content(store, 'a/file'), bytes(1), 'the file in the way');
    },
  },
  {
    title: 'refuses paths that lead elsewhere',
    async check(store) {
      const wrong = ['', '/a', 'a/', 'a//b', '..', 'a/../../b', './a', 'a\0b', 'a\\b', 'x'.repeat(256)];
      for (const path of wrong) {
        await refused(store.write(path, [bytes(1)]), 'storage/failed', `write ${JSON.stringify(path)}`);
        await refused(store.append(path, bytes(1)), 'storage/failed', `append ${JSON.stringify(path)}`);
        await refused(store.open(path), 'storage/failed', `open ${JSON.stringify(path)}`);
        await refused(store.remove(path), 'storage/failed', `remove ${JSON.stringify(path)}`);
        if (path !== '') await refused(store.list(path), 'storage/failed', `list ${JSON.stringify(path)}`);
      }
      same(await store.list(''), [], 'nothing was made');
    },
  },
];
