import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { loraScale, peftAdapter, readPeftAdapter, type LinearShapes, type PeftAdapter } from '#export/peft-adapter.ts';
import { MUTATIONS, readMutations } from '#formats/mutations.ts';
import { readSafetensors, writeSafetensors, type SafetensorsInput } from '#formats/safetensors.ts';

// Written by reference/peft_adapter.py with PEFT's save_pretrained.
const folder = (name: string) => ({
  config: readFileSync(new URL(`fixtures/${name}/adapter_config.json`, import.meta.url), 'utf8'),
  model: new Uint8Array(readFileSync(new URL(`fixtures/${name}/adapter_model.safetensors`, import.meta.url))),
});
const plain = folder('plain');
const sourceOf = (bytes: Uint8Array) => memorySource('adapter_model.safetensors', bytes);

/** Linears of the tiny Llama in that program. */
const base: LinearShapes = new Map(
  [0, 1].flatMap((layer) =>
    Object.entries({ 'self_attn.q_proj': [8, 8], 'self_attn.k_proj': [4, 8], 'self_attn.v_proj': [4, 8], 'mlp.down_proj': [8, 12] }).map(
      ([name, [rows, columns]]) => [`model.layers.${layer}.${name}`, [rows, columns]] as const,
    ),
  ),
);

const edited = (changes: Record<string, unknown>) => JSON.stringify({ ...(JSON.parse(plain.config) as object), ...changes });

async function failure(config: string, model: Uint8Array = plain.model, shapes?: LinearShapes): Promise<AppError> {
  const error: unknown = await readPeftAdapter(config, sourceOf(model), shapes).then(
    () => new Error('it was read'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

/** PEFT's file with its tensors changed by name; null leaves one out. */
async function changed(change: (tensor: SafetensorsInput) => SafetensorsInput | null): Promise<Uint8Array> {
  const { tensors } = await readSafetensors(sourceOf(plain.model));
  const inputs = [...tensors.values()].map(({ name, dtype, shape, start, end }) => ({
    name,
    dtype,
    shape,
    data: plain.model.slice(start, end),
  }));
  return writeSafetensors(inputs.flatMap((tensor) => change(tensor) ?? []));
}
const FIRST = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';

describe('peftAdapter', () => {
  test.each(['plain', 'patterns'])('%s: what was read is written again byte for byte', async (name) => {
    const { config, model } = folder(name);
    const files = peftAdapter(await readPeftAdapter(config, sourceOf(model), base));
    // The fixture's file ends with a line break, which the program adds and PEFT does not.
    expect(`${files['adapter_config.json']}\n`).toBe(config);
    expect(files['adapter_model.safetensors']).toEqual(model);
  });

  test('modules and targets in any order', async () => {
    const adapter = await readPeftAdapter(plain.config, sourceOf(plain.model));
    const shuffled: PeftAdapter = {
      config: { ...adapter.config, targetModules: ['v_proj', 'q_proj'] },
      modules: adapter.modules.toReversed(),
    };
    expect(peftAdapter(shuffled)).toEqual(peftAdapter(adapter));
  });

  test('wrong sizes are refused', async () => {
    const { config, modules } = await readPeftAdapter(plain.config, sourceOf(plain.model));
    expect(() => peftAdapter({ config, modules: [{ ...modules[0], r: 3 }] })).toThrow('rank 3 was given, the config says 4');
    expect(() => peftAdapter({ config, modules: [{ ...modules[0], inFeatures: 9 }] })).toThrow('A has 32 numbers, B 32');
  });
});

describe('readPeftAdapter', () => {
  test('settings and tensors', async () => {
    const { config, modules } = await readPeftAdapter(plain.config, sourceOf(plain.model), base);
    expect(config).toEqual({
      baseModel: 'models/tiny',
      r: 4,
      loraAlpha: 8,
      loraDropout: 0,
      targetModules: ['q_proj', 'v_proj'],
      useRslora: false,
      rankPattern: {},
      alphaPattern: {},
    });
    expect(modules.map(({ module, outFeatures, inFeatures }) => `${module} ${outFeatures} ${inFeatures}`)).toEqual([
      'model.layers.0.self_attn.q_proj 8 8',
      'model.layers.0.self_attn.v_proj 4 8',
      'model.layers.1.self_attn.q_proj 8 8',
      'model.layers.1.self_attn.v_proj 4 8',
    ]);
    expect(loraScale(config, 'model.layers.0.self_attn.q_proj')).toBe(2);
  });

  test('patterns and rsLoRA give each module its rank and scale', async () => {
    const { config, model } = folder('patterns');
    const adapter = await readPeftAdapter(config, sourceOf(model), base);
    const found = Object.fromEntries(adapter.modules.map(({ module, r }) => [module, { r, scale: loraScale(adapter.config, module) }]));
    expect(found).toEqual({
      'model.layers.0.self_attn.k_proj': { r: 2, scale: 3 / Math.sqrt(2) },
      'model.layers.1.self_attn.k_proj': { r: 2, scale: 12 / Math.sqrt(2) },
      'model.layers.0.mlp.down_proj': { r: 3, scale: 3 / Math.sqrt(3) },
      'model.layers.1.mlp.down_proj': { r: 3, scale: 3 / Math.sqrt(3) },
    });
  });

  test('16-bit tensors become f32', async () => {
    const halves = await changed((tensor) =>
      tensor.name === FIRST ? { ...tensor, dtype: 'BF16', data: Uint8Array.from({ length: 64 }, (_, i) => (i % 2 ? 0x3f : 0x80)) } : tensor,
    );
    const { modules } = await readPeftAdapter(plain.config, sourceOf(halves));
    const q = modules.find(({ module }) => module === 'model.layers.0.self_attn.q_proj');
    expect(Array.from(q?.a ?? [])).toEqual(Array.from({ length: 32 }, () => 1));
  });

  test.each<[string, Record<string, unknown>]>([
    [
      'an older release: fields that are not there',
      { peft_version: undefined, kasa_config: undefined, alpha_pattern: undefined, lora_dropout: undefined },
    ],
    ['a newer release: an unknown field that is empty', { some_new_config: null, use_more: false }],
    ['a start without a changed base', { init_lora_weights: 'gaussian', revision: 'main' }],
    ['a regular expression', { target_modules: '.*\\.(q|v)_proj' }],
  ])('%s', async (_, changes) => {
    expect((await readPeftAdapter(edited(changes), sourceOf(plain.model), base)).modules).toHaveLength(4);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['DoRA', { use_dora: true }, 'format/unsupported', 'use_dora is the boolean true, false was expected'],
    ['biases', { bias: 'all' }, 'format/unsupported', 'bias is the string "all", "none" was expected'],
    ['whole modules', { modules_to_save: ['lm_head'] }, 'format/unsupported', 'modules_to_save is an array of 1, null was expected'],
    ['PiSSA', { init_lora_weights: 'pissa' }, 'format/unsupported', 'init_lora_weights is the string "pissa"'],
    ['layers', { layers_to_transform: [0] }, 'format/unsupported', 'layers_to_transform is an array of 1'],
    ['an unknown field that is set', { use_more: true }, 'format/unsupported', 'use_more is the boolean true'],
    ['another method', { peft_type: 'IA3' }, 'format/unsupported', 'peft_type is the string "IA3", "LORA" was expected'],
    ['no method', { peft_type: undefined }, 'format/unsupported', 'peft_type is nothing'],
    ['another task', { task_type: 'SEQ_CLS' }, 'format/unsupported', 'task_type is the string "SEQ_CLS"'],
    ['rank 0', { r: 0 }, 'format/invalid', 'r is the number 0, a whole number from 1'],
    ['half a rank', { r: 1.5 }, 'format/invalid', 'r is the number 1.5'],
    ['no alpha', { lora_alpha: undefined }, 'format/invalid', 'lora_alpha is nothing'],
    ['dropout of 1', { lora_dropout: 1 }, 'format/invalid', 'lora_dropout is the number 1'],
    ['no targets', { target_modules: [] }, 'format/invalid', 'target_modules is an array of 0'],
    ['targets that are numbers', { target_modules: [1] }, 'format/invalid', 'target_modules is an array of 1'],
    ['a broken pattern', { target_modules: '(' }, 'format/unsupported', 'target_modules has the pattern ('],
    ['a pattern of rank 0', { rank_pattern: { q_proj: 0 } }, 'format/invalid', 'rank_pattern.q_proj is the number 0'],
    ['a name that is a number', { base_model_name_or_path: 1 }, 'format/invalid', 'base_model_name_or_path is the number 1'],
    ['rsLoRA that is a word', { use_rslora: 'yes' }, 'format/invalid', 'use_rslora is the string "yes"'],
  ])('%s', async (_, changes, code, message) => {
    const error = await failure(edited(changes));
    expect(error.message).toContain(`adapter_config.json: ${message}`);
    expect(error.code).toBe(code);
  });

  test.each<[string, () => Promise<AppError>, string, string]>([
    ['no JSON', () => failure('{"r":4,}'), 'format/invalid', 'adapter_config.json: not JSON at line 1, column 8'],
    ['another rank', () => failure(edited({ r: 5 })), 'format/invalid', `tensor ${FIRST} is [4, 8], [5, any] was expected`],
    [
      'a base of other sizes',
      () => failure(plain.config, plain.model, new Map(base).set('model.layers.0.self_attn.q_proj', [8, 10])),
      'format/invalid',
      `tensor ${FIRST} is [4, 8], [4, 10] was expected`,
    ],
    [
      'another output',
      () => failure(plain.config, plain.model, new Map(base).set('model.layers.0.self_attn.q_proj', [9, 8])),
      'format/invalid',
      'q_proj.lora_B.weight is [8, 4], [9, 4] was expected',
    ],
    [
      'a linear that the base has not',
      () => failure(plain.config, plain.model, new Map([...base].slice(1))),
      'format/invalid',
      'tensors of model.layers.0.self_attn.q_proj were found, the base model has no such linear',
    ],
    [
      'a layer that the file has not',
      () => failure(plain.config, plain.model, new Map(base).set('model.layers.2.self_attn.q_proj', [8, 8])),
      'format/invalid',
      'tensors of model.layers.2.self_attn.q_proj were expected',
    ],
    [
      'a target that the file has not',
      () => failure(edited({ target_modules: ['q_proj', 'o_proj'] })),
      'format/invalid',
      'tensors of o_proj were expected',
    ],
    [
      'A without B',
      async () => failure(plain.config, await changed((t) => (t.name === FIRST.replace('lora_A', 'lora_B') ? null : t))),
      'format/invalid',
      'q_proj.lora_B.weight was expected',
    ],
    [
      'a vector',
      async () => failure(plain.config, await changed((t) => (t.name === FIRST ? { ...t, shape: [32] } : t))),
      'format/invalid',
      `tensor ${FIRST} is [32], [4, any] was expected`,
    ],
    [
      'integers',
      async () => failure(plain.config, await changed((t) => (t.name === FIRST ? { ...t, dtype: 'I32' } : t))),
      'format/unsupported',
      `tensor ${FIRST} is I32`,
    ],
    [
      'a magnitude vector',
      async () =>
        failure(
          plain.config,
          await changed((t) => (t.name === FIRST ? { ...t, name: 'base_model.model.x.lora_magnitude_vector.weight' } : t)),
        ),
      'format/unsupported',
      'tensor base_model.model.x.lora_magnitude_vector.weight was found',
    ],
    ['no tensor', () => failure(edited({ target_modules: '.*' }), writeSafetensors([])), 'format/invalid', 'at least one module'],
  ])('%s', async (_, fail, code, message) => {
    const error = await fail();
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test(`${MUTATIONS} damaged copies of either file`, { timeout: 60_000 + 2 * MUTATIONS }, async () => {
    const tensors = await readMutations('adapter_model.safetensors', plain.model, (source) => readPeftAdapter(plain.config, source, base));
    expect(tensors.errors.get('format/invalid')).toBeGreaterThan(MUTATIONS / 4);
    expect(tensors.errors.get('format/unsupported')).toBeGreaterThan(0);
    expect(tensors.readRatio).toBeLessThanOrEqual(1);
    const config = await readMutations('adapter_', new TextEncoder().encode(plain.config), async (source) =>
      readPeftAdapter(new TextDecoder().decode(await source.read(0, source.sizeBytes)), sourceOf(plain.model), base),
    );
    expect(config.errors.get('format/invalid')).toBeGreaterThan(MUTATIONS / 4);
    expect(config.errors.get('format/unsupported')).toBeGreaterThan(0);
    expect(Math.max(tensors.slowestMs, config.slowestMs)).toBeLessThan(1000);
  });
});
