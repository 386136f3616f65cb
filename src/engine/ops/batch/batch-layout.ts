/** The batch as kernels see it: one buffer of arrays and a header, filled once a micro-batch. Knows no model. */
import { invariant } from '#base/errors.ts';
import type { Batch } from '#data/batch.ts';
import { type Region, type Tensor, regionTensor } from '#engine/graph/tensor.ts';

/** u32 [tokens] each unless said otherwise; C is the recording's capacity. */
export interface BatchTensors {
  /** Token ids; padding: 0. */
  tokens: Tensor;
  /** Position inside the segment. */
  positions: Tensor;
  /** Query i attends to keys [rangeStart[i], rangeEnd[i]). Padding: [i, i + 1). */
  rangeStart: Tensor;
  rangeEnd: Tensor;
  /** Key j is attended to by queries [j, keyEnd[j]). Padding: j + 1. */
  keyEnd: Tensor;
  /** Index of the token whose hidden state makes loss row i. */
  lossRows: Tensor;
  /** The loss row that token i's hidden state makes; NO_ROW for none. */
  lossRowOf: Tensor;
  /** The token to be predicted by loss row i. */
  targets: Tensor;
  /** f32: weight of loss row i; 0 past the count. */
  lossWeights: Tensor;
  /** `struct Header` of header.wgsl. */
  header: Tensor;
}

export const NO_ROW = 0xffffffff;

/** Fields of `struct Header`, in order. */
export interface BatchHeader {
  tokenCount: number;
  lossRowCount: number;
  /** 0 on the first micro-batch of a step: gradients are overwritten, not added to. */
  microBatch: number;
  dropoutKey: number;
  /** 1 / the step's loss tokens. */
  inverseLossTokens: number;
  learningRate: number;
  /** AdamW's 1 / (1 - beta1^t) and 1 / (1 - beta2^t). */
  firstCorrection: number;
  secondCorrection: number;
}

export const HEADER_WORDS = 8;
const ARRAYS = ['tokens', 'positions', 'rangeStart', 'rangeEnd', 'keyEnd', 'lossRows', 'lossRowOf', 'targets', 'lossWeights'] as const;
const HEADER_BYTES = 256;

function arrayBytes(capacity: number): number {
  return Math.ceil((capacity * 4) / 256) * 256;
}

/** Bytes of a batch buffer for this capacity; a region for the largest capacity serves the smaller ones. */
export function batchSizeBytes(capacity: number): number {
  return HEADER_BYTES + ARRAYS.length * arrayBytes(capacity);
}

export function batchTensors(place: Region, capacity: number): BatchTensors {
  const arrays = ARRAYS.map((name, i) => [name, regionTensor(name, [capacity], place, HEADER_BYTES + i * arrayBytes(capacity))] as const);
  return {
    ...(Object.fromEntries(arrays) as Record<(typeof ARRAYS)[number], Tensor>),
    header: regionTensor('header', [HEADER_WORDS], place, 0),
  };
}

/** Writes header and arrays in the layout of `batchTensors(place, batch.capacity)` into `bytes`. */
export function writeBatch(batch: Batch, header: BatchHeader, bytes: ArrayBuffer): void {
  const { capacity, tokenCount, lossRowCount } = batch;
  invariant(bytes.byteLength >= batchSizeBytes(capacity), `a batch of ${capacity} tokens does not fit ${bytes.byteLength} bytes`);
  writeHeader(header, bytes);
  const array = (name: (typeof ARRAYS)[number]) =>
    new Uint32Array(bytes, HEADER_BYTES + ARRAYS.indexOf(name) * arrayBytes(capacity), capacity);
  array('tokens').set(batch.tokens);
  array('positions').set(batch.positions);
  array('rangeStart').set(batch.segmentStart);
  array('keyEnd').set(batch.segmentEnd);
  array('lossRows').set(batch.lossRows);
  array('targets').set(batch.targets);
  new Float32Array(bytes, array('lossWeights').byteOffset, capacity).set(batch.lossWeights);
  const rangeEnd = array('rangeEnd');
  for (let i = 0; i < capacity; i++) rangeEnd[i] = i + 1;
  const lossRowOf = array('lossRowOf').fill(NO_ROW);
  for (let row = 0; row < lossRowCount; row++) lossRowOf[batch.lossRows[row]] = row;
  invariant(tokenCount <= capacity && lossRowCount <= capacity, 'a batch has more tokens than its capacity');
}

/** Writes the header alone: for the update, which has no batch. */
export function writeHeader(header: BatchHeader, bytes: ArrayBuffer): void {
  const words = new DataView(bytes);
  words.setUint32(0, header.tokenCount, true);
  words.setUint32(4, header.lossRowCount, true);
  words.setUint32(8, header.microBatch, true);
  words.setUint32(12, header.dropoutKey, true);
  words.setFloat32(16, header.inverseLossTokens, true);
  words.setFloat32(20, header.learningRate, true);
  words.setFloat32(24, header.firstCorrection, true);
  words.setFloat32(28, header.secondCorrection, true);
}
