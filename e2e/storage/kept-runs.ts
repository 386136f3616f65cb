/** What a page of the studio keeps in the browser's own files, read past the application. */
import type { Page } from '@playwright/test';

export interface KeptRun {
  id: string;
  /** Checkpoints with a manifest, ascending. */
  steps: number[];
  /** SHA-256 of each file of the newest of them, as hexadecimal digits. */
  hashes: Record<string, string>;
}

/** Oldest first. */
export async function keptRuns(page: Page): Promise<KeptRun[]> {
  return page.evaluate(async () => {
    const entriesOf = async (folder: FileSystemDirectoryHandle, path: string) => {
      let at = folder;
      for (const part of path.split('/')) {
        const next = await at.getDirectoryHandle(part).catch(() => null);
        if (next === null) return [];
        at = next;
      }
      const entries: [name: string, handle: FileSystemHandle][] = [];
      for await (const entry of at.entries()) entries.push(entry);
      return entries;
    };
    const hashOf = async (handle: FileSystemHandle) => {
      const bytes = await (await (handle as FileSystemFileHandle).getFile()).arrayBuffer();
      return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) => byte.toString(16).padStart(2, '0')).join(
        '',
      );
    };
    const root = await navigator.storage.getDirectory();
    const runs: KeptRun[] = [];
    for (const [id] of await entriesOf(root, 'runs')) {
      const steps: number[] = [];
      let newest: [name: string, handle: FileSystemHandle][] = [];
      const folders = (await entriesOf(root, `runs/${id}/checkpoints`)).map(([name]) => Number(name));
      for (const step of folders.sort((a, b) => a - b)) {
        const files = await entriesOf(root, `runs/${id}/checkpoints/${step}`);
        if (!files.some(([name]) => name === 'manifest.json')) continue;
        steps.push(step);
        newest = files;
      }
      const hashes: Record<string, string> = {};
      for (const [name, handle] of newest) hashes[name] = await hashOf(handle);
      runs.push({ id, steps, hashes });
    }
    return runs.sort((a, b) => (a.id < b.id ? -1 : 1));
  });
}
