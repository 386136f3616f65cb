/** The trainer's worker of a page, with a device that a test may take away or make small. */
import type { BrowserContext, Page, Worker } from '@playwright/test';

interface Hooked {
  testDevices: GPUDevice[];
  /** What buffers of all devices may take together, and what they take. */
  testCapBytes: number;
  testLiveBytes: number;
}

/** Runs in the worker before its own code. */
function hook(): void {
  const scope = self as unknown as Hooked;
  Object.assign(scope, { testDevices: [], testCapBytes: Infinity, testLiveBytes: 0 });

  const countBuffer = (buffer: GPUBuffer): void => {
    const destroy = buffer.destroy.bind(buffer);
    let isLive = true;
    scope.testLiveBytes += buffer.size;
    buffer.destroy = () => {
      if (isLive) scope.testLiveBytes -= buffer.size;
      isLive = false;
      return destroy();
    };
  };
  const hookDevice = (device: GPUDevice): void => {
    scope.testDevices.push(device);
    const createBuffer = device.createBuffer.bind(device);
    const pushErrorScope = device.pushErrorScope.bind(device);
    const popErrorScope = device.popErrorScope.bind(device);
    const errorScopes: { filter: GPUErrorFilter; isFull: boolean }[] = [];
    device.createBuffer = (descriptor) => {
      const buffer = createBuffer(descriptor);
      countBuffer(buffer);
      const innermost = errorScopes.findLast(({ filter }) => filter === 'out-of-memory');
      if (innermost !== undefined && scope.testLiveBytes > scope.testCapBytes) innermost.isFull = true;
      return buffer;
    };
    device.pushErrorScope = (filter) => {
      errorScopes.push({ filter, isFull: false });
      return pushErrorScope(filter);
    };
    device.popErrorScope = async () => {
      const isFull = errorScopes.pop()?.isFull === true;
      const error = await popErrorScope();
      return isFull ? new GPUOutOfMemoryError('the test lets buffers take no more') : error;
    };
  };
  const requestAdapter = navigator.gpu.requestAdapter.bind(navigator.gpu);
  navigator.gpu.requestAdapter = async (options) => {
    const adapter = await requestAdapter(options);
    if (adapter === null) return null;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      hookDevice(device);
      return device;
    };
    return adapter;
  };
}

export class TrainerWorker {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** From now on the pages of `context` load the worker with the hooks before it. */
  static async hook(context: BrowserContext, page: Page): Promise<TrainerWorker> {
    await context.route(/\/trainer\.worker-[^/]*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `(${hook.toString()})();\n${await response.text()}` });
    });
    return new TrainerWorker(page);
  }

  /** `device.destroy()` of the newest device. */
  async loseDevice(): Promise<void> {
    await (await trainerOf(this.#page)).evaluate(() => (self as unknown as Hooked).testDevices.at(-1)?.destroy());
  }

  async deviceCount(): Promise<number> {
    return (await trainerOf(this.#page)).evaluate(() => (self as unknown as Hooked).testDevices.length);
  }

  /** From now on an allocation with which all buffers would take more than `bytes` fails as one does that finds no memory. */
  async allowTotal(bytes: number): Promise<void> {
    const worker = await trainerOf(this.#page);
    await worker.evaluate((most) => void ((self as unknown as Hooked).testCapBytes = most), bytes);
  }
}

export async function trainerOf(page: Page): Promise<Worker> {
  const worker = page.workers().find((each) => each.url().includes('/trainer.worker-'));
  if (worker === undefined)
    throw new Error(
      `the page has no trainer; its workers are ${page
        .workers()
        .map((each) => each.url())
        .join(', ')}`,
    );
  return worker;
}
