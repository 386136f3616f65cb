import { describe, expect, test } from 'vitest';
import { memoryStore } from '#storage/testing/memory-store.ts';
import { storeCases } from '#storage/testing/store-cases.ts';

describe('memoryStore', () => {
  test.each(storeCases)('$title', async ({ check }) => {
    const store = memoryStore();
    await check(store);
    expect(await store.freeBytes()).toBeNull();
  });

  test('a full one keeps what fitted, and tells what was free', async () => {
    const store = memoryStore({ capacityBytes: 10 });
    await store.write('a', [new Uint8Array(6)]);
    expect(await store.freeBytes()).toBe(4);
    await expect(store.write('b', [new Uint8Array(5)])).rejects.toMatchObject({
      code: 'storage/quota',
      details: { found: 4, expected: 5 },
    });
    expect(store.files.get('b')).toHaveLength(4);
    await store.remove('b');
    await store.append('a', new Uint8Array(4));
    expect(await store.freeBytes()).toBe(0);
  });

  test('holds copies', async () => {
    const store = memoryStore();
    const bytes = Uint8Array.of(1);
    await store.write('a', [bytes]);
    bytes[0] = 2;
    expect(store.files.get('a')).toEqual(Uint8Array.of(1));
  });
});
