/** What each error code is called and what to do about it, in English. The error's own message says what was found and expected. */
import type { ErrorCode } from '#base/errors.ts';
import type { Place } from '#studio/stores/place.ts';

export interface ErrorText {
  title: string;
  action: string;
  /** Where it is mended, when the error shows elsewhere. */
  place?: Place;
}

export const errorTexts: Record<ErrorCode, ErrorText> = {
  'gpu/no-webgpu': {
    title: 'This page has no WebGPU',
    action: 'Model says what to do in your browser.',
    place: 'model',
  },
  'gpu/no-adapter': {
    title: 'The browser found nothing to compute on',
    action: 'Model says what to do in your browser.',
    place: 'model',
  },
  'gpu/device-lost': {
    title: 'The device was lost',
    action: 'The driver took it back, often because memory ran out. Reload the page; what you typed is kept.',
  },
  'gpu/out-of-memory': {
    title: 'The device has too little memory for this',
    action: 'Lower the batch size or the longest sequence, take a smaller model, or close other tabs that use the device.',
  },
  'gpu/validation': {
    title: 'The device refused a command',
    action: 'This is a fault of Loratory. Reload the page and try again; please report the words above.',
  },
  'gpu/limit': {
    title: 'This is more than the device allows',
    action: 'Lower the batch size or the longest sequence, or take a smaller model.',
  },
  'format/truncated': {
    title: 'The file ends too early',
    action: 'It was probably not downloaded to its end. Fetch it again and drop it here.',
  },
  'format/invalid': {
    title: 'The file is not what its header says',
    action: 'Fetch it again from where it came from. What was open before is still open.',
  },
  'format/unsupported': {
    title: 'This kind of file cannot be read',
    action: 'Models: safetensors in F32, F16 or BF16, or a GGUF in F32, F16, BF16, Q4_0, Q4_1 or Q8_0. Rows: JSON, JSON lines, CSV or TSV.',
  },
  'model/unsupported': {
    title: 'This architecture cannot be trained yet',
    action: 'Models of the Llama family work: SmolLM2, TinyLlama, Llama 2 and 3. What was open before is still open.',
  },
  'model/invalid': {
    title: 'The model does not fit together',
    action: 'Take all files from one source and drop them again. What was open before is still open.',
  },
  'model/missing-file': {
    title: 'A file of the model is missing',
    action: 'Drop the whole folder: config.json, the safetensors files and tokenizer.json.',
  },
  'tokenizer/unsupported': {
    title: 'This tokenizer cannot be followed exactly',
    action: 'Take a model with a BPE tokenizer. What was open before is still open.',
  },
  'tokenizer/invalid': {
    title: 'The tokenizer does not fit together',
    action: 'Fetch tokenizer.json again and drop the folder once more.',
  },
  'template/invalid': {
    title: 'The template cannot be read',
    action: 'Mend it at the marked character. Columns are written {column}; a brace of the text itself is written twice.',
  },
  'data/no-rows': {
    title: 'There are no rows to train on',
    action: 'Drop a file with at least one row.',
  },
  'data/invalid': {
    title: 'The rows cannot be read',
    action: 'Mend the file at the place named above and drop it again. What was open before is still open.',
  },
  'data/missing-column': {
    title: 'The dataset has no such column',
    action: 'Use one of the columns named above, or drop a file that has it.',
  },
  'data/no-loss': {
    title: 'No row has anything to learn',
    action: 'Check that the answer column is filled, and raise the longest sequence if answers are cut off.',
  },
  'recipe/invalid': {
    title: 'The recipe has a value that makes no sense',
    action: 'Change the setting named above.',
  },
  'train/not-finite': {
    title: 'The loss is no longer a number',
    action: 'Lower the learning rate and start again.',
  },
  'storage/not-found': {
    title: 'A file is not where it should be',
    action: 'Check that the page was copied whole, the folder demo included. Your own model and rows can be dropped all the same.',
  },
  'storage/failed': {
    title: 'The browser could not read or write',
    action: 'If the file was moved or changed after it was dropped, drop it again.',
  },
  'storage/quota': {
    title: 'The browser gives this page no more space',
    action: 'Free some space on the disk, or delete what this page keeps.',
    place: 'runs',
  },
  'storage/damaged': {
    title: 'A stored file is not what was written',
    action: 'The file named above was changed or cut off after it was stored. Nothing else was touched; remove it and store it again.',
  },
  'hub/not-found': {
    title: 'The hub has nothing of that name',
    action: 'Check the name and the revision. For a private repository give a token that may read it.',
  },
  'hub/gated': {
    title: 'The authors want their terms accepted first',
    action: 'Accept them at the address named above, then give a token of the same account.',
  },
  'hub/token': {
    title: 'The hub does not know the token',
    action: 'Make a new one with read access in your account, or go on without one.',
  },
  'hub/rate-limit': {
    title: 'The hub asks to wait',
    action: 'Try again in some minutes. With a token more requests are allowed.',
  },
  'hub/offline': {
    title: 'The hub does not answer',
    action: 'Check the connection and the address of the hub. What was fetched is kept, and goes on from there.',
  },
  'hub/failed': {
    title: 'The hub answered with something else',
    action: 'Try again later, or use another address for the hub.',
  },
  'run/busy': {
    title: 'A run is going on',
    action: 'Stop it first, or wait until it is done.',
  },
  'run/cancelled': {
    title: 'It was cancelled',
    action: 'Start it again whenever you like.',
  },
  'run/no-model': {
    title: 'No model is open',
    action: 'Open one in Model, or drop one anywhere in the window.',
    place: 'model',
  },
  'run/no-adapter': {
    title: 'There is no adapter yet',
    action: 'Train first; the adapter can be asked and downloaded from the first step on.',
  },
  'run/other-model': {
    title: 'The run belongs to another model',
    action: 'Open the model that it was trained on, then go on.',
    place: 'model',
  },
  'run/other-rows': {
    title: 'The run belongs to other rows',
    action: 'Start a new run on these rows, or go on with the rows that it began with.',
    place: 'data',
  },
  'run/read-only': {
    title: 'Another tab is at work',
    action: 'This tab shows its run as it goes on. Close the other tab to work here.',
  },
  'worker/died': {
    title: 'A part of the page stopped',
    action: 'Reload the page. What you typed is kept, and a run up to its last checkpoint.',
  },
  internal: {
    title: 'Something went wrong inside Loratory',
    action: 'Reload the page and try again; please report the words above.',
  },
};
