import { describe, expect, it } from 'vitest';
import type { AdapterDescription } from '#engine/gpu/device.ts';
import { Budgets } from '#run/budget.ts';
import { memoryStore } from '#storage/testing/memory-store.ts';

const adapter = (name: string): AdapterDescription => ({
  vendor: name,
  architecture: 'ampere',
  description: '',
  isSoftware: false,
  features: [],
});
const PATH = 'settings/budgets.json';
const put = (text: string) => {
  const store = memoryStore();
  store.files.set(PATH, new TextEncoder().encode(text));
  return store;
};

describe('budgets', () => {
  it('knows nothing of a device that was never checked', async () => {
    expect(await new Budgets(null).of(adapter('acme'))).toEqual({
      budgetBytes: null,
      setByUser: false,
      reachedCap: false,
      adapter: 'acme ampere',
    });
  });

  it('keeps what the user says by adapter, past its own life', async () => {
    const store = memoryStore();
    const budgets = new Budgets(store);
    await Promise.all([budgets.setByUser(adapter('acme'), 7e9), budgets.setByUser(adapter('other'), 3e9)]);
    const again = new Budgets(store);
    expect(await again.of(adapter('acme'))).toMatchObject({ budgetBytes: 7e9, setByUser: true });
    expect(await again.of(adapter('other'))).toMatchObject({ budgetBytes: 3e9, setByUser: true });
    await again.setByUser(adapter('acme'), null);
    expect(await new Budgets(store).of(adapter('acme'))).toMatchObject({ budgetBytes: null, setByUser: false });
    expect(await new Budgets(store).of(adapter('other'))).toMatchObject({ budgetBytes: 3e9 });
  });

  it('refuses what is no number of bytes', async () => {
    for (const bytes of [0, -1, 1.5, Number.NaN, Infinity]) {
      await expect(new Budgets(null).setByUser(adapter('acme'), bytes)).rejects.toMatchObject({ code: 'internal' });
    }
  });

  it('begins anew where the file is torn or says nonsense', async () => {
    const nonsense = { acme: 3, 'acme ampere': { measured: { budgetBytes: '9' }, byUser: -4 } };
    for (const text of [
      '{"version":1,"budg',
      '[]',
      'null',
      '{"version":1,"budgets":null}',
      JSON.stringify({ version: 1, budgets: nonsense }),
    ]) {
      const store = put(text);
      const budgets = new Budgets(store);
      expect(await budgets.of(adapter('acme'))).toMatchObject({ budgetBytes: null });
      await budgets.setByUser(adapter('acme'), 5e9);
      expect(await new Budgets(store).of(adapter('acme'))).toMatchObject({ budgetBytes: 5e9 });
    }
  });

  it('leaves the file of another version as it is', async () => {
    const text = '{"version":2,"budgets":{}}';
    const store = put(text);
    const budgets = new Budgets(store);
    await budgets.setByUser(adapter('acme'), 5e9);
    expect(await budgets.of(adapter('acme'))).toMatchObject({ budgetBytes: 5e9 });
    expect(new TextDecoder().decode(store.files.get(PATH))).toBe(text);
  });

  it('tells when it could not be kept, and knows it all the same', async () => {
    const budgets = new Budgets(memoryStore({ capacityBytes: 10 }));
    await expect(budgets.setByUser(adapter('acme'), 5e9)).rejects.toMatchObject({ code: 'storage/quota' });
    expect(await budgets.of(adapter('acme'))).toMatchObject({ budgetBytes: 5e9 });
  });
});
