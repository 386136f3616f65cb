import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AppError } from '#base/errors.ts';
import { openHubDataset } from '#storage/hub-datasets.ts';
import { Hub } from '#storage/hub.ts';
import { LocalHub } from '#storage/testing/local-hub.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const PARQUET = {
  'default/train/0001.parquet': bytes(4, 5, 6),
  'default/train/0000.parquet': bytes(1, 2, 3),
  'default/test/0000.parquet': bytes(7),
  'extra/partial-train/0000.parquet': bytes(8, 9),
};

let local: LocalHub;
let hub: Hub;
beforeAll(async () => {
  const files = { 'README.md': bytes(1) };
  local = await LocalHub.start([
    { id: 'tiny/rows', kind: 'dataset', files, parquet: PARQUET },
    { id: 'tiny/one', kind: 'dataset', files, parquet: { 'en/train/0000.parquet': bytes(1) } },
    { id: 'tiny/gated', kind: 'dataset', files, parquet: PARQUET, gated: 'auto' },
  ]);
  hub = new Hub({ endpoint: local.endpoint, sleep: async () => {} });
});
afterAll(() => local.close());

const failureOf = (choice: Parameters<typeof openHubDataset>[1]) =>
  openHubDataset(hub, choice).then(
    () => null,
    (error: AppError) => error,
  );

describe('a dataset of a hub', () => {
  test('the files of a split in order, at a commit', async () => {
    const dataset = await openHubDataset(hub, { id: 'tiny/rows', split: 'train[:2]+train[-1:]' });
    expect(dataset).toMatchObject({ id: 'tiny/rows', subset: 'default', split: 'train', endpoint: local.endpoint });
    expect(dataset.slices.map(({ from, to }) => [from, to])).toEqual([
      [null, 2],
      [-1, null],
    ]);
    expect(dataset.subsets).toEqual([
      { name: 'default', splits: ['test', 'train'] },
      { name: 'extra', splits: ['partial-train'] },
    ]);
    expect(dataset.files.map(({ path, sizeBytes }) => [path, sizeBytes])).toEqual([
      ['default/train/0000.parquet', 3],
      ['default/train/0001.parquet', 3],
    ]);
    expect(await dataset.files[1].source.read(1, 3)).toEqual(bytes(5, 6));
    expect(dataset.files[1].source.name).toBe('tiny/rows/default/train/0001.parquet');
    expect(
      local.requests.some(({ url }) => url.startsWith(`/datasets/tiny/rows/resolve/${dataset.commit}/default/train/0001.parquet`)),
    ).toBe(true);
  });

  test('the only subset needs no name; what is not there is answered with what is', async () => {
    expect(await openHubDataset(hub, { id: 'tiny/one' })).toMatchObject({ subset: 'en', split: 'train' });
    expect((await openHubDataset(hub, { id: 'tiny/rows', subset: 'default', split: 'test' })).files).toHaveLength(1);
    expect(await failureOf({ id: 'tiny/rows', subset: 'fr' })).toMatchObject({
      code: 'data/invalid',
      message: 'tiny/rows: the subset fr was found, one of these was expected: default, extra',
    });
    expect(await failureOf({ id: 'tiny/rows', split: 'dev[:3]' })).toMatchObject({
      code: 'data/invalid',
      message: 'tiny/rows: the split dev of default was found, one of these was expected: test, train',
    });
  });

  test('of a large dataset whose first part alone was turned into parquet, that part', async () => {
    const dataset = await openHubDataset(hub, { id: 'tiny/rows', subset: 'extra' });
    expect(dataset.files.map(({ path }) => path)).toEqual(['extra/partial-train/0000.parquet']);
    expect(dataset.isPartial).toBe(true);
  });

  test('splits that cannot be read, datasets that are not there or gated', async () => {
    expect(await failureOf({ id: 'tiny/rows', split: 'train[' })).toMatchObject({ code: 'recipe/invalid' });
    expect(await failureOf({ id: 'tiny/rows', split: 'train+test' })).toMatchObject({ code: 'recipe/invalid' });
    expect(await failureOf({ id: 'tiny/none' })).toMatchObject({
      code: 'hub/not-found',
      message: expect.stringMatching(/tiny\/none: 401: there is no such dataset, or it is private$/),
    });
    const gated = await openHubDataset(hub, { id: 'tiny/gated' });
    await expect(gated.files[0].source.read(0, 1)).rejects.toMatchObject({
      code: 'hub/gated',
      details: { expected: `${local.endpoint}/datasets/tiny/gated` },
    });
  });
});
