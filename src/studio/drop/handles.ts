/** Handles of dropped files and folders, where the browser gives them: with these they can be read again on another day, if the user allows it. */
import type { NamedFile } from '#protocol/trainer.ts';

/** As much of a file's or folder's handle as is needed; Chromium's browsers have them. */
export interface PathHandle {
  kind: 'file' | 'directory';
  name: string;
  getFile?(): Promise<File>;
  values?(): AsyncIterable<PathHandle>;
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>;
  /** Asks the user: only while a click is being answered. */
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
}

interface HandleItem {
  kind: string;
  getAsFileSystemHandle?(): Promise<PathHandle | null>;
}

/** Must be called while the drop is being told: its items are gone after that. Empty where the browser gives no handles. */
export async function droppedHandles(items: Iterable<HandleItem>): Promise<PathHandle[]> {
  const asked = [...items].filter(({ kind }) => kind === 'file').map((item) => item.getAsFileSystemHandle?.() ?? Promise.resolve(null));
  const given = await Promise.allSettled(asked);
  return given.flatMap((result) => (result.status === 'fulfilled' && result.value !== null ? [result.value] : []));
}

/** Whether all of it may be read, after the user was asked where the browser wants that. */
export async function mayRead(handles: readonly PathHandle[]): Promise<boolean> {
  for (const handle of handles) {
    if ((await handle.queryPermission?.({ mode: 'read' })) === 'granted') continue;
    if ((await handle.requestPermission?.({ mode: 'read' })) !== 'granted') return false;
  }
  return true;
}

/** The files behind handles, with the paths that a drop of them has; hidden files are left out. */
export async function filesOf(handles: readonly PathHandle[], folder = ''): Promise<NamedFile[]> {
  const files: NamedFile[] = [];
  for (const handle of handles) {
    if (handle.name.startsWith('.')) continue;
    const path = `${folder}${handle.name}`;
    if (handle.getFile !== undefined) {
      files.push({ path, file: await handle.getFile() });
    } else if (handle.values !== undefined) {
      const inside: PathHandle[] = [];
      for await (const each of handle.values()) inside.push(each);
      files.push(...(await filesOf(inside, `${path}/`)));
    }
  }
  return files;
}
