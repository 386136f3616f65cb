/** The rows of a run as one file: with the model they are all that a run needs to go on. Knows tokens, no dataset. */
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { readSafetensors, type SafetensorsFile, type SafetensorsInput, writeSafetensors } from '#formats/safetensors.ts';

/** Sequences one after another: row i is tokens[offsets[i]] up to tokens[offsets[i + 1]]. */
export interface PackedRows {
  /** [tokens] */
  tokens: Uint32Array;
  /** [tokens] 1 where the token is predicted with loss. */
  lossMask: Uint8Array;
  /** [rows + 1] */
  offsets: Uint32Array;
}

/** Held-out sequences whose loss is measured. */
export interface ValidationRows extends PackedRows {
  /** Rows of the dataset that they stand for; where rows are joined there are fewer sequences. */
  rowCount: number;
}

/** A row that is answered before, during and after training. */
export interface HeldOutRow {
  /** Index in the dataset. */
  row: number;
  promptText: string;
  prompt: Uint32Array;
  expected: string;
}

export interface RunRows {
  train: PackedRows;
  validation: ValidationRows | null;
  heldOut: HeldOutRow[];
}

const FORM = 'loratory-rows-1';
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array) => new Uint8Array(buffer, byteOffset, byteLength);

function packed(name: string, { tokens, lossMask, offsets }: PackedRows): SafetensorsInput[] {
  return [
    { name: `${name}.tokens`, dtype: 'U32', shape: [tokens.length], data: bytesOf(tokens) },
    { name: `${name}.loss_mask`, dtype: 'U8', shape: [lossMask.length], data: lossMask },
    { name: `${name}.offsets`, dtype: 'U32', shape: [offsets.length], data: bytesOf(offsets) },
  ];
}

/** A safetensors file of the rows; the held-out ones as JSON in a tensor of bytes. */
export function writeRunRows({ train, validation, heldOut }: RunRows): Uint8Array {
  const asked = new TextEncoder().encode(JSON.stringify(heldOut.map((row) => ({ ...row, prompt: [...row.prompt] }))));
  const tensors: SafetensorsInput[] = [...packed('train', train), { name: 'held_out', dtype: 'U8', shape: [asked.length], data: asked }];
  if (validation !== null) tensors.push(...packed('validation', validation));
  const rowCount: Record<string, string> = validation === null ? {} : { validation_rows: String(validation.rowCount) };
  return writeSafetensors(tensors, { form: FORM, ...rowCount });
}

/**
 * The rows of such a file. Its bytes are those that were written: the caller has checked their hash.
 * @throws AppError of the formats, `format/unsupported` for another form.
 */
export async function readRunRows(file: string, bytes: Uint8Array): Promise<RunRows> {
  const opened = await readSafetensors(memorySource(file, bytes));
  const form = opened.metadata.get('form') ?? 'none';
  if (form !== FORM) {
    throw new AppError('format/unsupported', `${file}: rows in the form ${form} were found, ${FORM} was expected`, {
      file,
      found: form,
      expected: FORM,
    });
  }
  const rowCount = opened.metadata.get('validation_rows');
  const asked = JSON.parse(new TextDecoder().decode(tensorBytes(opened, bytes, 'held_out'))) as (Omit<HeldOutRow, 'prompt'> & {
    prompt: number[];
  })[];
  return {
    train: unpacked(opened, bytes, 'train'),
    validation: rowCount === undefined ? null : { ...unpacked(opened, bytes, 'validation'), rowCount: Number(rowCount) },
    heldOut: asked.map((row) => ({ ...row, prompt: Uint32Array.from(row.prompt) })),
  };
}

function unpacked(opened: SafetensorsFile, bytes: Uint8Array, name: string): PackedRows {
  // Copied: a view of 32 bits must begin at a multiple of four.
  const words = (part: string) => new Uint32Array(tensorBytes(opened, bytes, `${name}.${part}`).slice().buffer);
  return { tokens: words('tokens'), lossMask: tensorBytes(opened, bytes, `${name}.loss_mask`).slice(), offsets: words('offsets') };
}

function tensorBytes(opened: SafetensorsFile, bytes: Uint8Array, name: string): Uint8Array {
  const tensor = opened.tensors.get(name);
  if (tensor === undefined) {
    const file = opened.source.name;
    throw new AppError('format/invalid', `${file}: no tensor ${name} was found`, { file, tensor: name });
  }
  return bytes.subarray(tensor.start, tensor.end);
}
