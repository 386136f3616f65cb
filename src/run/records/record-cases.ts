/** The models whose adapters PEFT was shown, each with one row. Node alone; knows no device. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AppError } from '#base/errors.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import { type Checkpoint, openHuggingFaceFolder } from '#formats/weights.ts';
import { openModelFiles } from '#run/open-files.ts';
import { openNodePath } from '#storage/node-files.ts';

export interface RecordCase {
  /** Its key in reference/records/adapters.json. */
  name: string;
  /** Path of the base model; null where LORATORY_SMOLLM2 does not name it. */
  base: string | null;
  r: number;
  /** What the row says; null for a model without a tokenizer, whose row is made up. */
  text: string | null;
}

const root = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export const RECORD_CASES: readonly RecordCase[] = [
  // A rank that is no multiple of four: the engine pads it, and the file must not show that.
  { name: 'bias', base: root('src/engine/models/fixtures/bias'), r: 6, text: null },
  {
    name: 'demo',
    base: root('public/demo'),
    r: 16,
    text: 'On Sunday we open our new hotel in Nairobi. We need nine kettles.\nqty: 9, item: kettles, city: Nairobi, due: Sunday',
  },
  {
    name: 'smollm2-q4_1',
    base: process.env.LORATORY_SMOLLM2 || null,
    r: 8,
    text: 'On Monday the baker sold 12 loaves, and the old dog slept by the oven until it was dark.',
  },
  { name: 'tied-gqa', base: root('src/engine/models/fixtures/tied-gqa'), r: 8, text: null },
  { name: 'untied-llama3', base: root('src/engine/models/fixtures/untied-llama3'), r: 8, text: null },
];

/** Tokens of a made-up row. */
const MADE_UP_TOKENS = 24;

/** What a model's shapes are described with where no device is open: WebGPU's own defaults. */
export const DEFAULT_LIMITS: GpuLimits = {
  maxBindingBytes: 134_217_728,
  maxBufferBytes: 268_435_456,
  offsetAlignment: 256,
  maxWorkgroupsPerDimension: 65_535,
};

/** One foreign verdict of reference/records/adapters.json, which reference/check_adapter.py wrote. */
export interface AdapterRecord {
  /** SHA-256 by file name. */
  base: Record<string, string>;
  adapter: Record<string, string>;
  tokens: number[];
  bound: number;
  /** Some of PEFT's logits: [positions, vocabIds]. */
  sample: { positions: number[]; vocabIds: number[]; logits: number[][] };
}

export function readAdapterRecords(): Record<string, AdapterRecord> {
  return JSON.parse(readFileSync(root('reference/records/adapters.json'), 'utf8')) as Record<string, AdapterRecord>;
}

export function findRecordCase(name: string): RecordCase & { base: string } {
  const found = RECORD_CASES.find((each) => each.name === name);
  const expected = RECORD_CASES.map((each) => each.name).join(', ');
  if (!found)
    throw new AppError('storage/not-found', `the case ${name} was found, one of ${expected} was expected`, { found: name, expected });
  if (found.base === null) throw new AppError('storage/not-found', `${name}: LORATORY_SMOLLM2 is not set to the path of its GGUF file`);
  return { ...found, base: found.base };
}

/** The base model of a case and the tokens of its row. */
export async function openRecordCase({
  base,
  text,
}: RecordCase & { base: string }): Promise<{ checkpoint: Checkpoint; tokens: Uint32Array }> {
  const files = await openNodePath(base);
  if (text !== null) {
    const { checkpoint, tokenizer } = await openModelFiles(files);
    return { checkpoint, tokens: tokenizer.encode(text, { addSpecialTokens: false }) };
  }
  for (const path of files.keys()) if (path.startsWith('fixture') || path.startsWith('adapter')) files.delete(path);
  const checkpoint = await openHuggingFaceFolder(files);
  const vocabulary = Number(checkpoint.config['vocab_size']);
  return { checkpoint, tokens: Uint32Array.from({ length: MADE_UP_TOKENS }, (_, i) => (37 * i + 11) % vocabulary) };
}
