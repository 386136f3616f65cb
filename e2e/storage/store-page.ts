/** An empty page of the served origin with the worker of tasks.ts, which is bundled here and handed over as a Blob: the product's build has none of it. */
import { fileURLToPath } from 'node:url';
import { expect, type Page } from '@playwright/test';
import { build, type Rolldown } from 'vite';
import type { Request, Tasks } from './tasks.ts';

const MIB = 1_048_576;

let bundle: Promise<string> | null = null;

async function bundleWorker(): Promise<string> {
  const result = await build({
    configFile: false,
    root: fileURLToPath(new URL('../../', import.meta.url)),
    publicDir: false,
    logLevel: 'warn',
    build: {
      write: false,
      target: 'es2023',
      minify: false,
      rolldownOptions: { input: fileURLToPath(new URL('./tasks.ts', import.meta.url)) },
    },
  });
  const { output } = result as Rolldown.RolldownOutput;
  if (output.length !== 1 || output[0].type !== 'chunk') throw new Error(`${output.length} files were bundled, one was expected`);
  return output[0].code;
}

declare global {
  interface Window {
    /** Set by the page below. */
    runTask: (request: unknown) => Promise<unknown>;
    lastWritten: number;
  }
}

export class StorePage {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(page: Page, baseURL: string): Promise<StorePage> {
    bundle ??= bundleWorker();
    const url = new URL('storage-test', baseURL).href;
    await page.route(url, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Storage</title>' }));
    await page.goto(url);
    await page.evaluate(
      (code) => {
        const worker = new Worker(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), { type: 'module' });
        window.lastWritten = -1;
        window.runTask = (request) =>
          new Promise((resolve, reject) => {
            worker.addEventListener('error', ({ message }) => reject(new Error(message)));
            worker.addEventListener('message', ({ data }: MessageEvent<{ value?: unknown; error?: string; written?: number }>) => {
              if (data.written !== undefined) window.lastWritten = data.written;
              else if (data.error !== undefined) reject(new Error(data.error));
              else resolve(data.value);
            });
            // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's takes none
            worker.postMessage(request);
          });
      },
      await bundle,
    );
    return new StorePage(page);
  }

  async run<T extends keyof Tasks>(task: T, params: Parameters<Tasks[T]>[0]): Promise<ReturnType<Tasks[T]>> {
    const request = { task, params } as Request;
    return (await this.#page.evaluate((asked) => window.runTask(asked), request)) as ReturnType<Tasks[T]>;
  }

  /** From now on the origin may use no more than `bytes`. */
  async limit(bytes: number): Promise<void> {
    const session = await this.#page.context().newCDPSession(this.#page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(this.#page.url()).origin, quotaSize: bytes });
  }

  /** Begins a task that has no end. */
  async begin(request: Request): Promise<void> {
    await this.#page.evaluate((asked) => void window.runTask(asked), request);
  }

  /** The newest step that `keep` has said was written; -1 for none. */
  lastWritten(): Promise<number> {
    return this.#page.evaluate(() => window.lastWritten);
  }
}

/** A file and a checkpoint that are larger than the quota, and smaller ones after them. */
export async function expectFullTold(store: StorePage): Promise<void> {
  await store.limit(4 * MIB);
  expect(await store.run('fill', { sizeBytes: MIB, as: 'file' })).toBeNull();
  expect(await store.run('fill', { sizeBytes: 6 * MIB, as: 'file' })).toMatchObject({ code: 'storage/quota', expected: 6 * MIB });
  expect(await store.run('fill', { sizeBytes: 6 * MIB, as: 'checkpoint' })).toMatchObject({ code: 'storage/quota', left: [] });
  expect(await store.run('fill', { sizeBytes: MIB, as: 'checkpoint' })).toBeNull();
}
