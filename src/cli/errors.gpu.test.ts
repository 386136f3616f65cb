import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { FIXTURES, errorLine, runLoratory } from '#cli/testing/run-loratory.ts';

const work = mkdtempSync(join(tmpdir(), 'loratory-errors-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const MODEL = join(FIXTURES, 'tiny-llama');
const ROWS = ['--data_files', 'rows.json', '--text_field', 'input', '--strategy', 'line-by-line'];
const GGUF = readFileSync(new URL('../formats/fixtures/tiny-llama.gguf', import.meta.url));
const OTHER_ADAPTER = fileURLToPath(new URL('../engine/models/fixtures/bias/adapter', import.meta.url));

function file(name: string, content: string | Uint8Array): string {
  const path = join(work, name);
  writeFileSync(path, content);
  return path;
}

/** tiny-llama with one of its files changed. */
function model(name: string, changed: string, change: (bytes: Buffer) => string | Uint8Array): string {
  const folder = join(work, name);
  cpSync(MODEL, folder, { recursive: true });
  writeFileSync(join(folder, changed), change(readFileSync(join(folder, changed))));
  return folder;
}

const config = (change: object) => (bytes: Buffer) => JSON.stringify({ ...JSON.parse(bytes.toString()), ...change });

/** Safetensors whose header says something else of model.norm.weight. */
const norm = (change: object) => (bytes: Buffer) => {
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, object>;
  header['model.norm.weight'] = { ...header['model.norm.weight'], ...change };
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, bytes.subarray(8 + length)]);
};

/** GGUF whose blk.0.attn_v.weight has another type number: behind its name stand the rank and two lengths. */
function retyped(bytes: Buffer, type: number): Buffer {
  const copy = Buffer.from(bytes);
  const name = 'blk.0.attn_v.weight';
  copy.writeUInt32LE(type, copy.indexOf(name) + name.length + 4 + 16);
  return copy;
}

const IQ4_NL = 20;
const onModel = (path: string) => ['-m', path, ...ROWS];
const onRows = (...flags: string[]) => ['-m', MODEL, ...flags];

/** What is wrong, the command's flags, and what its one line must say. */
const CASES: [string, () => string[], RegExp][] = [
  [
    'truncated safetensors',
    () => onModel(model('truncated', 'model.safetensors', (bytes) => bytes.subarray(0, bytes.length - 4096))),
    /truncated\/model\.safetensors: tensor model\.\S+ ends at byte \d+, the file has \d+$/,
  ],
  [
    'a GGUF with a tensor past the end',
    () => onModel(file('short.gguf', GGUF.subarray(0, -200))),
    /short\.gguf: tensor output\.weight ends at byte 148128, the file has 147992$/,
  ],
  [
    'an unknown architecture',
    () => onModel(model('architecture', 'config.json', config({ model_type: 'gpt_neox' }))),
    /architecture\/config\.json: model_type is "gpt_neox"; supported: .*llama/,
  ],
  [
    'an unknown tensor type in safetensors',
    () => onModel(model('dtype', 'model.safetensors', norm({ dtype: 'I32' }))),
    /dtype\/model\.safetensors: tensor model\.norm\.weight is I32, F32, F16 or BF16 was expected$/,
  ],
  [
    'an unknown tensor type in a GGUF',
    () => onModel(file('type.gguf', retyped(GGUF, IQ4_NL))),
    /type\.gguf: tensor blk\.0\.attn_v\.weight is IQ4_NL, one of F32, .*Q8_0 was expected$/,
  ],
  [
    'a config field of a wrong type',
    () => onModel(model('field', 'config.json', config({ hidden_size: '32' }))),
    /field\/config\.json: hidden_size is "32", a whole number of at least 1 was expected$/,
  ],
  [
    'a tensor of a wrong shape',
    () => onModel(model('shape', 'model.safetensors', norm({ shape: [16, 2] }))),
    /shape\/model\.safetensors: tensor model\.norm\.weight is \[16, 2\], \[32\] was expected$/,
  ],
  ['no such model', () => onModel(join(work, 'nothing')), /nothing: there is no such file or folder$/],
  [
    'a JSON file with no rows',
    () => onRows('--data_files', file('none.json', '[]'), '--text_field', 'a'),
    /none\.json: no rows were found, at least one was expected$/,
  ],
  [
    'a CSV file with no rows',
    () => onRows('--data_files', file('none.csv', 'a,b\n'), '--text_field', 'a'),
    /none\.csv: no rows were found, at least one was expected$/,
  ],
  [
    'a malformed JSON line',
    () => onRows('--data_files', file('line.jsonl', '{"a": "1"}\n{"a": "2"\n{"a": "3"}\n'), '--text_field', 'a'),
    /line\.jsonl: row 2: not JSON at line 2, column 10: the end of the text was found, "," or "}" was expected$/,
  ],
  [
    'a template that names a missing column of a JSON file',
    () => onRows('--data_files', 'rows.json', '--text_template', '{input} {answer}'),
    /rows\.json has no column 'answer'; its columns are 'input', 'output', 'quantity', 'price'$/,
  ],
  [
    'a template that names a missing column of a CSV file',
    () => onRows('--data_files', file('columns.csv', 'input,output\na,b\n'), '--text_template', '{input} {answer}'),
    /columns\.csv has no column 'answer'; its columns are 'input', 'output'$/,
  ],
  [
    'rows that are too long to carry loss',
    () => onRows('--data_files', 'completions.jsonl', '--completion_only_loss', 'true', '--max_seq_len', '4'),
    /completions\.jsonl: of 8 rows 8 have no token with loss within 4 tokens; at least one with loss was expected$/,
  ],
  [
    'rows that fill no block',
    () => onRows('--data_files', 'rows.json', '--text_field', 'input'),
    /rows\.json: 8 rows give 128 tokens when joined; more than 1024 were expected to fill a block\./,
  ],
  ['an unknown flag', () => [...onModel(MODEL), '--no_such_flag', '1'], /--no_such_flag: an unknown flag was found/],
  ['a flag without a value', () => [...onModel(MODEL), '--lora_r', '-o'], /--lora_r: the next flag, -o, was found, a value was expected$/],
  [
    'target modules that the model has not',
    () => [...onModel(MODEL), '--target_modules', 'q_proj,c_attn'],
    /target_modules is c_attn, q_proj, k_proj, .*down_proj was expected$/,
  ],
  [
    'the adapter of another model',
    () => [...onModel(MODEL), '--adapter_path', OTHER_ADAPTER],
    /bias\/adapter\/adapter_model\.safetensors: tensor base_model\.model\.model\.\S+ is \[32, 3\], \[16, 3\] was expected$/,
  ],
  ['a folder without an adapter', () => [...onModel(MODEL), '--adapter_path', MODEL], /adapter_config\.json was expected$/],
];

describe('bad input through the command line', () => {
  it.each(CASES)('%s: one line, exit code 1, no output', async (_what, flags, line) => {
    const out = join(work, 'out');
    const finished = await runLoratory(['finetune', '-o', out, ...flags()]);
    expect(errorLine(finished)).toMatch(line);
    expect(finished.stderr.match(/^loratory: /gm)).toHaveLength(1);
    expect(finished.stderr).not.toMatch(/^\s+at /m);
    expect([finished.code, finished.stdout, existsSync(out)]).toEqual([1, '', false]);
  });

  it('refuses an output that is a file, before any work', async () => {
    const out = file('taken', 'mine');
    const finished = await runLoratory(['finetune', ...onModel(MODEL), '-o', out]);
    expect(errorLine(finished)).toMatch(/--output_path \S+taken: a file was found, a folder or nothing was expected$/);
    expect(finished.stderr).not.toContain('device:');
    expect([finished.code, readFileSync(out, 'utf8')]).toEqual([1, 'mine']);
  });

  it('names the step of an infinite gradient, and writes the adapter without it', async () => {
    const out = join(work, 'infinite');
    const wild = ['--lora_alpha', '65536', '--lora_r', '1', '--learning_rate', '10', '--max_grad_norm', '0', '--max_steps', '40'];
    const finished = await runLoratory(['finetune', ...onModel(MODEL), ...wild, '--target_modules', 'all-linear', '-o', out]);
    expect(errorLine(finished)).toMatch(/^step \d+: an infinite or undefined gradient was found, .* lower --learning_rate$/);
    expect(finished.code).toBe(1);
    expect(existsSync(join(out, 'adapter', 'adapter_model.safetensors'))).toBe(true);
  });

  it('says what to do where there is no adapter', async () => {
    const env = { VK_ICD_FILENAMES: '/nonexistent.json', VK_DRIVER_FILES: undefined };
    const finished = await runLoratory(['finetune', ...onModel(MODEL), '-o', join(work, 'out')], { env });
    expect(errorLine(finished)).toMatch(
      /^WebGPU found no adapter on this machine; VK_ICD_FILENAMES names \/nonexistent\.json, which is not there/,
    );
    expect(finished.code).toBe(1);
  });
});
