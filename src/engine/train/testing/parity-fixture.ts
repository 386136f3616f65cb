/** Reads the fixtures that reference/llama_parity.py wrote, for parity tests. */
import { readFileSync, readdirSync } from 'node:fs';
import { memorySource } from '#base/bytes.ts';
import type { Sequence } from '#data/batch.ts';
import { readSafetensors } from '#formats/safetensors.ts';
import { type Checkpoint, openHuggingFaceFolder } from '#formats/weights.ts';

const FOLDER = new URL('../../models/fixtures/', import.meta.url);

export interface Table {
  tokens: number[];
  rowOffsets: number[];
  lossMask: number[];
}

export interface CurveRun {
  schedule: 'cosine' | 'linear';
  loss: number[];
  gradNorm: number[];
  learningRate: number[];
  lossTokens: number[];
  clippedSteps: number;
}

export interface Fixture {
  bounds: { logitsMaxAbs: number; gradientRelative: number; curveLossRelative: number; curveAdapterRelative: number };
  batch: Table;
  lossTokens: number;
  base: { loss: number; rowLossSums: number[] };
  lora: { loss: number; rowLossSums: number[]; r: number; alpha: number; targetModules: string[] | 'all-linear' };
  generation: { prompts: number[][]; base: number[][]; lora: number[][] };
  curve?: {
    recipe: {
      steps: number;
      batch: number;
      accumulation: number;
      warmupSteps: number;
      learningRate: number;
      betas: [number, number];
      epsilon: number;
      weightDecay: number;
      maxGradNorm: number;
    };
    table: Table;
    rowsOfStep: number[][];
    runs: CurveRun[];
  };
}

export type FloatTensors = Map<string, { shape: number[]; data: Float32Array }>;

export interface ParityCase {
  name: string;
  fixture: Fixture;
  checkpoint: Checkpoint;
  expected: FloatTensors;
  adapter: FloatTensors;
}

export const PARITY_CASES = ['tied-gqa', 'untied-llama3', 'bias'] as const;

export async function readFloatTensors(file: URL): Promise<FloatTensors> {
  const source = memorySource(file.pathname, new Uint8Array(readFileSync(file)));
  const tensors: FloatTensors = new Map();
  for (const [name, { shape, start, end }] of (await readSafetensors(source)).tensors) {
    const bytes = await source.read(start, end);
    tensors.set(name, { shape, data: new Float32Array(bytes.slice().buffer) });
  }
  return tensors;
}

export async function readParityCase(name: (typeof PARITY_CASES)[number]): Promise<ParityCase> {
  const folder = new URL(`${name}/`, FOLDER);
  const files = new Map(
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith('fixture'))
      .map(({ name: file }) => [file, memorySource(file, new Uint8Array(readFileSync(new URL(file, folder))))]),
  );
  return {
    name,
    fixture: JSON.parse(readFileSync(new URL('fixture.json', folder), 'utf8')) as Fixture,
    checkpoint: await openHuggingFaceFolder(files),
    expected: await readFloatTensors(new URL('fixture.safetensors', folder)),
    adapter: await readFloatTensors(new URL('adapter/adapter_model.safetensors', folder)),
  };
}

/** The rows of a ragged table. */
export function rowsOfTable({ tokens, rowOffsets, lossMask }: Table): Sequence[] {
  return rowOffsets.slice(0, -1).map((start, i) => {
    const end = rowOffsets[i + 1];
    return { tokens: Uint32Array.from(tokens.slice(start, end)), lossMask: Uint8Array.from(lossMask.slice(start, end)) };
  });
}

/** The tensors below a prefix, without it. */
export function below(tensors: FloatTensors, prefix: string): FloatTensors {
  return new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}
