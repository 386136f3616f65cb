/** The numbers of the GGUF format: tensor types with their block sizes, value types, limits. Knows no file. */
import type { WeightType } from '#formats/ggml-blocks.ts';

/** ggml's tensor types by number: name, elements of a block, bytes of a block. @source `gguf.constants.GGML_QUANT_SIZES` */
const GGML_TYPE_ROWS: readonly [number, string, number, number][] = [
  [0, 'F32', 1, 4],
  [1, 'F16', 1, 2],
  [2, 'Q4_0', 32, 18],
  [3, 'Q4_1', 32, 20],
  [6, 'Q5_0', 32, 22],
  [7, 'Q5_1', 32, 24],
  [8, 'Q8_0', 32, 34],
  [9, 'Q8_1', 32, 40],
  [10, 'Q2_K', 256, 84],
  [11, 'Q3_K', 256, 110],
  [12, 'Q4_K', 256, 144],
  [13, 'Q5_K', 256, 176],
  [14, 'Q6_K', 256, 210],
  [15, 'Q8_K', 256, 292],
  [16, 'IQ2_XXS', 256, 66],
  [17, 'IQ2_XS', 256, 74],
  [18, 'IQ3_XXS', 256, 98],
  [19, 'IQ1_S', 256, 50],
  [20, 'IQ4_NL', 32, 18],
  [21, 'IQ3_S', 256, 110],
  [22, 'IQ2_S', 256, 82],
  [23, 'IQ4_XS', 256, 136],
  [24, 'I8', 1, 1],
  [25, 'I16', 1, 2],
  [26, 'I32', 1, 4],
  [27, 'I64', 1, 8],
  [28, 'F64', 1, 8],
  [29, 'IQ1_M', 256, 56],
  [30, 'BF16', 1, 2],
  [34, 'TQ1_0', 256, 54],
  [35, 'TQ2_0', 256, 66],
  [39, 'MXFP4', 32, 17],
  [40, 'NVFP4', 64, 36],
  [41, 'Q1_0', 128, 18],
];

export interface GgmlType {
  name: string;
  blockElements: number;
  blockBytes: number;
}

export const GGML_TYPES: ReadonlyMap<number, GgmlType> = new Map(
  GGML_TYPE_ROWS.map(([id, name, blockElements, blockBytes]) => [id, { name, blockElements, blockBytes }]),
);

/** The types that can be opened as weights. */
export const GGML_WEIGHT_TYPES: ReadonlyMap<string, WeightType> = new Map([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['Q4_0', 'q4_0'],
  ['Q4_1', 'q4_1'],
  ['Q8_0', 'q8_0'],
]);

export const ValueType = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

/** Bytes of a value of each number type; strings and arrays have lengths of their own. */
export const VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  [ValueType.uint8, 1],
  [ValueType.int8, 1],
  [ValueType.uint16, 2],
  [ValueType.int16, 2],
  [ValueType.uint32, 4],
  [ValueType.int32, 4],
  [ValueType.float32, 4],
  [ValueType.bool, 1],
  [ValueType.uint64, 8],
  [ValueType.int64, 8],
  [ValueType.float64, 8],
]);

/** Metadata entries: real files have under a hundred. */
export const MAX_METADATA_ENTRIES = 65_536;
/** Tensors: the largest mixture-of-experts files have a few ten thousand. */
export const MAX_TENSORS = 1_000_000;
/** The specification's limit of a key. */
export const MAX_KEY_BYTES = 65_535;
/** Tensor names: llama.cpp takes 63 bytes, builds of it 127. */
export const MAX_NAME_BYTES = 255;
/** Strings: chat templates are kilobytes, an embedded tokenizer.json tens of megabytes. */
export const MAX_STRING_BYTES = 67_108_864;
/** Elements of an array: the longest lists known are merges, about half a million. */
export const MAX_ARRAY_ELEMENTS = 4_194_304;
/** Arrays of arrays: the specification allows them, no known file has them. */
export const MAX_ARRAY_DEPTH = 4;
/** ggml's `GGML_MAX_DIMS`. */
export const MAX_DIMENSIONS = 4;
/** Everything before the tensors' data. */
export const MAX_HEADER_BYTES = 536_870_912;
export const DEFAULT_ALIGNMENT = 32;
