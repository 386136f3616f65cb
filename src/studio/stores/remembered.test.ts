import { expect, it } from 'vitest';
import { droppedHandles, filesOf, type PathHandle } from '#studio/drop/handles.ts';
import { createRememberedStore, type HandleStore, type RememberedModel } from '#studio/stores/remembered.ts';

const file = (name: string, allowed: PermissionState = 'granted', asked: PermissionState = 'granted'): PathHandle => ({
  kind: 'file',
  name,
  getFile: async () => new File([name], name),
  queryPermission: async () => allowed,
  requestPermission: async () => asked,
});
const folder = (name: string, ...inside: PathHandle[]): PathHandle => ({
  kind: 'directory',
  name,
  async *values() {
    yield* inside;
  },
  queryPermission: async () => 'prompt',
  requestPermission: async () => 'granted',
});

function memoryHandles(): HandleStore {
  const models = new Map<string, RememberedModel>();
  return {
    all: async () => [...models.values()],
    put: async (model) => void models.set(model.key, model),
    remove: async (key) => void models.delete(key),
  };
}

it('takes the handles of what was dropped, and none where the browser gives none', async () => {
  const handle = file('a.gguf');
  const items = [{ kind: 'string' }, { kind: 'file' }, { kind: 'file', getAsFileSystemHandle: async () => handle }];
  expect(await droppedHandles(items)).toEqual([handle]);
  const refused = [{ kind: 'file', getAsFileSystemHandle: () => Promise.reject(new Error('not here')) }];
  expect(await droppedHandles(refused)).toEqual([]);
});

it('reads a folder with the paths of its drop, hidden files left out', async () => {
  const files = await filesOf([folder('tiny', file('config.json'), file('.DS_Store'), folder('sub', file('b.json')))]);
  expect(files.map(({ path }) => path)).toEqual(['tiny/config.json', 'tiny/sub/b.json']);
  expect(await files[0]?.file.text()).toBe('config.json');
});

it('opens what is remembered when it is allowed, and says when it is not or no longer there', async () => {
  const store = createRememberedStore(memoryHandles());
  const { remember, open, forget } = store.getState();
  await remember({ key: 'a', name: 'tiny', handles: [folder('tiny', file('config.json'))] });
  await remember({ key: 'b', name: 'secret.gguf', handles: [file('secret.gguf', 'prompt', 'denied')] });
  const gone = { ...file('gone.gguf'), getFile: () => Promise.reject(new Error('not found')) };
  await remember({ key: 'c', name: 'gone.gguf', handles: [gone] });
  expect(store.getState().models).toHaveLength(3);
  expect(await open('a')).toMatchObject({ name: 'tiny', isDemo: false, files: [{ path: 'tiny/config.json' }] });
  await expect(open('b')).rejects.toMatchObject({ code: 'storage/failed', message: expect.stringContaining('not allowed') as string });
  await expect(open('c')).rejects.toMatchObject({ code: 'storage/failed', message: expect.stringContaining('drop it again') as string });
  expect(await open('d')).toBeNull();
  await forget('b');
  expect(store.getState().models.map(({ key }) => key)).toEqual(['a', 'c']);
});

it('remembers nothing where there is no place for it', async () => {
  const store = createRememberedStore(null);
  await store.getState().remember({ key: 'a', name: 'a', handles: [file('a')] });
  expect(store.getState().models).toEqual([]);
});
