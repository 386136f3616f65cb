/** The shipped demo against reference/demo/record.json: what was measured is what lies in public/demo, and it holds what is promised. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '#data/rows.ts';
import { tokenizeRows } from '#data/tokenize.ts';
import type { Checkpoint } from '#formats/weights.ts';
import { DEFAULTS, dataOptions, type Recipe } from '#recipe/recipe.ts';
import { planSteps } from '#recipe/steps.ts';
import { validateRecipe } from '#recipe/validate.ts';
import { openModelFiles } from '#run/open-files.ts';
import { openNodeFolder } from '#storage/node-files.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

interface DemoRecord {
  pretrain: { parameters: number };
  finetune: {
    recipe: { [field: string]: unknown; max_steps: number };
    sha256: { [file: string]: string };
    base_exact: number;
    seeds: { seed: number; exact: number; shuffled_answers_exact: number; tokens: number }[];
  };
}

const DEMO = new URL('../../public/demo/', import.meta.url);
const RECORD = new URL('../../reference/demo/record.json', import.meta.url);
const MEASURED_FILES = ['heldout.jsonl', 'model.safetensors', 'tokenizer.json', 'train.jsonl'];
const LONGEST_ROW = 32;
const TICKET = /^qty: (?<qty>\d+), item: (?<item>[^,]+), city: (?<city>[^,]+), due: (?<due>[A-Z][a-z]+day)$/;

const read = (name: string): Promise<Buffer> => readFile(new URL(name, DEMO));
const readJson = async (url: URL): Promise<unknown> => JSON.parse(await readFile(url, 'utf8'));
async function rowsOf(name: string): Promise<Row[]> {
  const lines = (await read(name)).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}
const fields = (row: Row): { [name: string]: string } => {
  const found = TICKET.exec(String(row.ticket))?.groups;
  if (found === undefined) throw new Error(`not a ticket: ${String(row.ticket)}`);
  return found;
};

let record: DemoRecord;
let checkpoint: Checkpoint;
let tokenizer: Tokenizer;
let shipped: { [field: string]: unknown };
let recipe: Recipe;
let train: Row[];
let heldOut: Row[];
beforeAll(async () => {
  ({ checkpoint, tokenizer } = await openModelFiles(await openNodeFolder(fileURLToPath(DEMO))));
  record = (await readJson(RECORD)) as DemoRecord;
  shipped = (await readJson(new URL('recipe.json', DEMO))) as typeof shipped;
  // As the page reads it: what the shipped recipe does not name has its default.
  recipe = validateRecipe({ ...DEFAULTS, ...shipped });
  [train, heldOut] = await Promise.all([rowsOf('train.jsonl'), rowsOf('heldout.jsonl')]);
});

describe('the demo that is shipped', () => {
  it('is the one that was measured: the record names its bytes and its recipe', async () => {
    const { sha256 } = record.finetune;
    expect(Object.keys(sha256).toSorted()).toEqual(MEASURED_FILES);
    for (const name of MEASURED_FILES) {
      expect([
        name,
        createHash('sha256')
          .update(await read(name))
          .digest('hex'),
      ]).toEqual([name, sha256[name]]);
    }
    expect(shipped).toEqual(record.finetune.recipe);
  });

  it('was measured to be learnt by each of three seeds, by no base and from no shuffled answers', () => {
    const { base_exact: base, seeds } = record.finetune;
    expect(seeds.map(({ seed }) => seed)).toEqual([1, 2, 3]);
    expect(Math.min(...seeds.map(({ exact }) => exact))).toBeGreaterThanOrEqual(80);
    expect(Math.max(base, ...seeds.map(({ shuffled_answers_exact: exact }) => exact))).toBeLessThan(5);
  });

  it('is a Llama of at most 3 million parameters', () => {
    const sizes = [...checkpoint.tensors.values()].map(({ shape }) => shape.reduce((product, size) => product * size, 1));
    const parameters = sizes.reduce((sum, size) => sum + size, 0);
    expect(checkpoint.config.model_type).toBe('llama');
    expect(parameters).toBe(record.pretrain.parameters);
    expect(parameters).toBeLessThanOrEqual(3_000_000);
  });

  it('asks in 60 rows for no item and no city that the training rows have', () => {
    expect(heldOut).toHaveLength(60);
    expect(new Set(heldOut.map(({ message }) => message)).size).toBe(60);
    for (const field of ['item', 'city']) {
      const known = new Set(train.map((row) => fields(row)[field]));
      expect(heldOut.map((row) => fields(row)[field]).filter((value) => known.has(value))).toEqual([]);
    }
  });

  it('has rows of at most 32 tokens, and as many as the steps of the recipe take', async () => {
    for (const [file, rows] of [
      ['train.jsonl', train],
      ['heldout.jsonl', heldOut],
    ] as const) {
      const set = { file, columns: ['message', 'ticket'], rows };
      const { report, sequences } = await tokenizeRows({ set, options: dataOptions(recipe), tokenizer, renderChat: () => '' });
      expect(sequences).toHaveLength(rows.length);
      expect(report.truncated.count).toBe(0);
      expect(report.longest).toBeLessThanOrEqual(LONGEST_ROW);
      if (file === 'train.jsonl') expect(record.finetune.seeds.map(({ tokens }) => tokens)).toEqual(Array(3).fill(report.tokens));
    }
    expect(planSteps(recipe, train.length)).toMatchObject({ totalSteps: record.finetune.recipe.max_steps, epochs: 1 });
  });
});
