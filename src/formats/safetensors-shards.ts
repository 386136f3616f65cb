/** A checkpoint in one safetensors file or in shards with an index. Knows files and names, no architecture. */
import { AppError } from '#base/errors.ts';
import { readText, type ByteSource } from '#base/bytes.ts';
import { describeJson, parseJsonObject } from '#formats/json-text.ts';
import type { ModelFolder } from '#formats/model-folder.ts';
import { readSafetensors, type SafetensorsTensor } from '#formats/safetensors.ts';

export const SINGLE_FILE = 'model.safetensors';
export const INDEX_FILE = 'model.safetensors.index.json';
/** An index has about 100 bytes a tensor. */
const MAX_INDEX_BYTES = 67_108_864;

export interface LocatedTensor {
  source: ByteSource;
  tensor: SafetensorsTensor;
}

async function readAll(source: ByteSource): Promise<Map<string, LocatedTensor>> {
  const { tensors } = await readSafetensors(source);
  return new Map([...tensors].map(([name, tensor]) => [name, { source, tensor }]));
}

/** `weight_map` as shard -> names, and `metadata.total_size`. */
async function readIndex(index: ByteSource): Promise<{ shards: Map<string, string[]>; totalSize: number | undefined }> {
  const root = parseJsonObject(index.name, await readText(index, MAX_INDEX_BYTES), 'model/invalid');
  const invalid = (message: string) => new AppError('model/invalid', `${index.name}: ${message}`, { file: index.name });
  const { weight_map: weightMap, metadata } = root;
  if (typeof weightMap !== 'object' || weightMap === null || Array.isArray(weightMap)) {
    throw invalid(`weight_map is ${describeJson(weightMap)}, an object was expected`);
  }
  const shards = new Map<string, string[]>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string') throw invalid(`tensor ${tensor} is in ${describeJson(shard)}, a file name was expected`);
    const names = shards.get(shard);
    if (names) names.push(tensor);
    else shards.set(shard, [tensor]);
  }
  const totalSize = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? metadata.total_size : undefined;
  if (totalSize !== undefined && typeof totalSize !== 'number') {
    throw invalid(`metadata.total_size is ${describeJson(totalSize)}, a number was expected`);
  }
  return { shards, totalSize };
}

async function readShards(folder: ModelFolder, index: ByteSource): Promise<Map<string, LocatedTensor>> {
  const { shards, totalSize } = await readIndex(index);
  // All shards are looked up before one is opened: the first thing said is which file is missing.
  const sources = new Map([...shards.keys()].map((shard) => [shard, folder.require(shard)]));
  const located = new Map<string, LocatedTensor>();
  let bytes = 0;
  for (const [shard, names] of shards) {
    const source = sources.get(shard) as ByteSource;
    const { tensors } = await readSafetensors(source);
    for (const name of names) {
      const tensor = tensors.get(name);
      if (!tensor) {
        throw new AppError('model/invalid', `${source.name}: tensor ${name} was expected, ${index.name} says that it is in this file`, {
          file: source.name,
          tensor: name,
        });
      }
      bytes += tensor.end - tensor.start;
      located.set(name, { source, tensor });
    }
  }
  if (totalSize !== undefined && totalSize !== bytes) {
    throw new AppError('model/invalid', `${index.name}: total_size is ${totalSize}, its tensors have ${bytes} bytes`, {
      file: index.name,
      expected: totalSize,
      found: bytes,
    });
  }
  return located;
}

/**
 * Every tensor of the folder's checkpoint with the file that it is in; model.safetensors goes before an index, as in transformers.
 * @throws AppError `model/missing-file` naming the missing shard, `format/unsupported` when there is only a pickle.
 */
export async function locateTensors(folder: ModelFolder): Promise<{ file: string; tensors: Map<string, LocatedTensor> }> {
  const single = folder.find(SINGLE_FILE);
  if (single) return { file: single.name, tensors: await readAll(single) };
  const index = folder.find(INDEX_FILE);
  if (index) return { file: index.name, tensors: await readShards(folder, index) };
  const pickle = folder.names.find((name) => /^pytorch_model.*\.bin(\.index\.json)?$/.test(name));
  if (pickle !== undefined) {
    const convert = 'convert it with AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)';
    const message = `${folder.prefix}${pickle} was found, which can hold code and is not opened; ${SINGLE_FILE} was expected: ${convert}`;
    throw new AppError('format/unsupported', message, { file: folder.prefix + pickle, expected: SINGLE_FILE });
  }
  const shard = folder.names.find((name) => /^model-\d+-of-\d+\.safetensors$/.test(name));
  folder.require(shard === undefined ? SINGLE_FILE : INDEX_FILE);
  throw new AppError('internal', 'a required file was found after it was not');
}
