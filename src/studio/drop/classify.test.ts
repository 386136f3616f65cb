import { expect, it } from 'vitest';
import type { NamedFile } from '#protocol/trainer.ts';
import { classifyDrop, namedFiles } from '#studio/drop/classify.ts';

const file = (path: string, content: BlobPart = ''): NamedFile => ({ path, file: new Blob([content]) });
const drop = (...paths: string[]) => classifyDrop(paths.map((path) => file(path)));

it('takes folders and GGUF files for models', async () => {
  expect(await drop('tiny/config.json', 'tiny/model.safetensors')).toMatchObject({ kind: 'model', name: 'tiny' });
  expect(await drop('config.json', 'model.safetensors', 'tokenizer.json')).toMatchObject({ kind: 'model', files: [{}, {}, {}] });
  expect(await drop('models/a.gguf', 'models/readme.md')).toMatchObject({
    kind: 'model',
    name: 'a.gguf',
    files: [{ path: 'models/a.gguf' }],
  });
  expect(await drop('broken/tokenizer.json')).toMatchObject({ kind: 'model', name: 'broken' });
});

it('takes YAML for a recipe', async () => {
  for (const name of ['recipe.yaml', 'a/Recipe.YML'])
    expect(await drop(name)).toEqual({ kind: 'recipe', file: expect.objectContaining({ path: name }) as unknown });
  expect(await drop('tiny/config.json', 'tiny/model.safetensors', 'tiny/recipe.yaml')).toMatchObject({ kind: 'model', name: 'tiny' });
});

it('takes files of rows for datasets, a second one for the held-out rows where its name says so', async () => {
  for (const name of ['rows.json', 'rows.JSONL', 'a/rows.csv', 'rows.tsv', 'rows.parquet']) {
    expect(await drop(name)).toMatchObject({ kind: 'data', file: { path: name } });
  }
  expect(await drop('train.jsonl', 'held-out.jsonl')).toMatchObject({
    kind: 'data',
    file: { path: 'train.jsonl' },
    heldOut: { path: 'held-out.jsonl' },
  });
  expect(await drop('a.csv', 'b_test.csv')).toMatchObject({ file: { path: 'a.csv' }, heldOut: { path: 'b_test.csv' } });
  expect(await drop('latest.csv', 'contest.csv')).toMatchObject({ kind: 'refused', looksLike: 'several-datasets' });
  expect(await classifyDrop([file('rows.txt', ' [{"a": 1}]')])).toMatchObject({ kind: 'data' });
});

it('says what a wrong drop looks like', async () => {
  expect(await classifyDrop([file('notes.pdf', '%PDF-1.7')])).toEqual({ kind: 'refused', name: 'notes.pdf', looksLike: 'pdf' });
  expect(await classifyDrop([file('table.xlsx', 'PK\u0003\u0004')])).toMatchObject({ looksLike: 'zip' });
  expect(await classifyDrop([file('pytorch_model.bin', new Uint8Array([0x80, 2, 0x8a]))])).toMatchObject({ looksLike: 'pickle' });
  expect(await drop('tokenizer.json')).toMatchObject({ looksLike: 'model-part' });
  expect(await drop('model.safetensors')).toMatchObject({ looksLike: 'model-part' });
  expect(await drop('out/adapter_config.json', 'out/adapter_model.safetensors')).toMatchObject({ looksLike: 'adapter', name: 'out' });
  expect(await classifyDrop([file('story.txt', 'Once')])).toMatchObject({ looksLike: 'unknown' });
  expect(await drop()).toMatchObject({ looksLike: 'nothing' });
});

it('cleans the paths of dropzones and leaves hidden files out', () => {
  const dropped = (name: string, path: string) => Object.assign(new File([], name), { path });
  const files = [dropped('config.json', '/tiny/config.json'), dropped('a.json', './a.json'), dropped('.DS_Store', '/tiny/.DS_Store')];
  expect(namedFiles(files).map(({ path }) => path)).toEqual(['tiny/config.json', 'a.json']);
});
