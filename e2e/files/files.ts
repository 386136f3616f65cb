/** Files for the tests: the fixtures of the command line, and broken ones made of them. */
import { cp, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../../src/cli/fixtures/', import.meta.url));

export const TINY_LLAMA = join(fixtures, 'tiny-llama');
export const ROWS = join(fixtures, 'rows.json');
export const SMOLLM2_ROWS = join(fixtures, 'smollm2-rows.jsonl');

/** A copy of the tiny model under another name, to be broken. */
export async function copyModel(folder: string): Promise<string> {
  await cp(TINY_LLAMA, folder, { recursive: true });
  return folder;
}

export async function truncatedModel(folder: string): Promise<string> {
  await copyModel(folder);
  await truncate(join(folder, 'model.safetensors'), 100_000);
  return folder;
}

export async function modelOfArchitecture(folder: string, modelType: string, architecture: string): Promise<string> {
  await copyModel(folder);
  const path = join(folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, model_type: modelType, architectures: [architecture] }));
  return folder;
}

/** A GGUF whose one tensor claims to lie far behind the end of the file. */
export async function lyingGguf(path: string): Promise<string> {
  const parts: Buffer[] = [];
  const u32 = (value: number) => parts.push(Buffer.from(Uint32Array.of(value).buffer));
  const u64 = (value: bigint) => parts.push(Buffer.from(BigUint64Array.of(value).buffer));
  const text = (value: string) => {
    u64(BigInt(Buffer.byteLength(value)));
    parts.push(Buffer.from(value));
  };
  const [STRING, F32] = [8, 0];
  parts.push(Buffer.from('GGUF'));
  u32(3);
  u64(1n); // tensors
  u64(1n); // metadata
  text('general.architecture');
  u32(STRING);
  text('llama');
  text('token_embd.weight');
  u32(2);
  u64(32n);
  u64(500n);
  u32(F32);
  u64(1n << 40n); // where it says that its bytes begin
  await writeFile(path, Buffer.concat([...parts, Buffer.alloc(4096)]));
  return path;
}

/** The header of a safetensors file, and the bytes behind it. */
export function readSafetensorsHeader(bytes: Buffer): {
  header: Record<string, { shape: number[]; data_offsets: [number, number] }>;
  dataBytes: number;
} {
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<
    string,
    { shape: number[]; data_offsets: [number, number] }
  >;
  return { header, dataBytes: bytes.length - 8 - length };
}
