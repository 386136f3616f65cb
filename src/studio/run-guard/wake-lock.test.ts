import { describe, expect, it } from 'vitest';
import { sight } from '#studio/run-guard/testing/sight.ts';
import { createAwake, type HeldWakeLock } from '#studio/run-guard/wake-lock.ts';

const turn = () => new Promise((resolve) => setTimeout(resolve));

class FakeLocks {
  readonly locks: { released: boolean }[] = [];
  isRefusing = false;

  get held(): number {
    return this.locks.filter(({ released }) => !released).length;
  }

  async request(): Promise<HeldWakeLock> {
    await turn();
    if (this.isRefusing) throw new DOMException('little battery is left', 'NotAllowedError');
    const lock = {
      released: false,
      async release() {
        lock.released = true;
      },
    };
    this.locks.push(lock);
    return lock;
  }

  /** As a browser does when the page goes out of sight. */
  takeBack(): void {
    for (const lock of this.locks) lock.released = true;
  }
}

const settle = async () => {
  for (let i = 0; i < 5; i++) await turn();
};

describe('the wake lock', () => {
  it('is held while it is needed, once, and then let go', async () => {
    const [locks, page] = [new FakeLocks(), sight()];
    const keepAwake = createAwake(locks, page);
    await settle();
    expect(locks.locks).toHaveLength(0);
    keepAwake(true);
    keepAwake(true);
    await settle();
    expect([locks.held, locks.locks.length]).toEqual([1, 1]);
    keepAwake(false);
    await settle();
    expect(locks.held).toBe(0);
    keepAwake(true);
    await settle();
    expect([locks.held, locks.locks.length]).toEqual([1, 2]);
  });

  it('is let go when it is no longer needed by the time it comes', async () => {
    const locks = new FakeLocks();
    const keepAwake = createAwake(locks, sight());
    keepAwake(true);
    keepAwake(false);
    await settle();
    expect(locks.held).toBe(0);
  });

  it('is asked for again when the page is seen again, and not while it is not', async () => {
    const [locks, page] = [new FakeLocks(), sight()];
    const keepAwake = createAwake(locks, page);
    keepAwake(true);
    await settle();
    locks.takeBack();
    page.set(true);
    await settle();
    expect([locks.held, locks.locks.length]).toEqual([0, 1]);
    page.set(false);
    await settle();
    expect([locks.held, locks.locks.length]).toEqual([1, 2]);

    keepAwake(false);
    page.set(true);
    keepAwake(true);
    await settle();
    expect(locks.held).toBe(0);
    page.set(false);
    await settle();
    expect(locks.held).toBe(1);
  });

  it('does without where the browser refuses it or has none', async () => {
    const [locks, page] = [new FakeLocks(), sight()];
    locks.isRefusing = true;
    const keepAwake = createAwake(locks, page);
    keepAwake(true);
    await settle();
    expect(locks.held).toBe(0);
    locks.isRefusing = false;
    page.set(false);
    await settle();
    expect(locks.held).toBe(1);
    expect(() => createAwake(null, page)(true)).not.toThrow();
  });
});
