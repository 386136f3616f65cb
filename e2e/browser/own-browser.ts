/** A Chromium of our own with a profile on the disk, whose processes a test may kill. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Browser, chromium, type BrowserContext } from '@playwright/test';
import { findChromium } from '../../scripts/chromium.mjs';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--no-first-run',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
];

/** As the protocol of the developer tools names them. */
type ProcessType = 'browser' | 'renderer' | 'GPU';

export class OwnBrowser {
  readonly #process: ChildProcess;
  readonly #browser: Browser;

  private constructor(process: ChildProcess, browser: Browser) {
    this.#process = process;
    this.#browser = browser;
  }

  /** `folder`: the profile, which may be that of a browser that is gone. */
  static async launch(folder: string, args: readonly string[] = []): Promise<OwnBrowser> {
    const browser = spawn(String(findChromium()?.executable), [...ARGS, ...args, `--user-data-dir=${folder}`, 'about:blank'], {
      // A group of its own: all of its processes end at one kill.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const line of createInterface({ input: browser.stderr as NodeJS.ReadableStream })) {
      const endpoint = /DevTools listening on (\S+)/.exec(line)?.[1];
      if (endpoint === undefined) continue;
      browser.stderr?.resume();
      return new OwnBrowser(browser, await chromium.connectOverCDP(endpoint));
    }
    throw new Error('Chromium ended before it said where it listens');
  }

  /** The profile's own, not a private one. */
  get context(): BrowserContext {
    return this.#browser.contexts()[0];
  }

  /** Ends the whole browser at once, as a power cut does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    process.kill(-Number(this.#process.pid), 'SIGKILL');
    await ended;
  }

  /** Ends the processes of one kind and leaves the others. */
  async killProcesses(type: ProcessType): Promise<void> {
    const session = await this.#browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    await session.detach();
    const found = processInfo.filter((each) => each.type === type);
    if (found.length === 0)
      throw new Error(`this browser has no ${type} process; it has ${processInfo.map((each) => each.type).join(', ')}`);
    for (const { id } of found) process.kill(id, 'SIGKILL');
  }
}
