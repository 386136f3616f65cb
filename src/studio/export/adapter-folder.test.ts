import { unzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULTS, type Recipe } from '#recipe/recipe.ts';
import { type CardFacts, folderName, modelCard, zipFolder } from '#studio/export/adapter-folder.ts';
import { usages } from '#studio/export/usage.ts';

const recipe: Recipe = {
  ...DEFAULTS,
  model: '/home/anna/models/tiny',
  data_files: ['secret-customers.jsonl'],
  mapping: { kind: 'template', template: 'Dear Anna {message}\n{answer}' },
  joiner: 'private joiner',
  stratify_by: 'diagnosis',
  target_modules: ['q_proj', 'v_proj'],
};
const evaluation = { epoch: 1, lossNats: Math.log(4), accuracy: 0.8125, tokens: 90, rows: 30, isBest: true };
const facts: CardFacts = {
  base: { name: 'org/tiny', architecture: 'llama', parameterCount: 1_992_768 },
  recipe,
  step: 40,
  steps: 60,
  data: { rows: 200, heldOutRows: 30, medianTokens: 25, maxTokens: 64 },
  lastLossNats: 0.123_456,
  last: { ...evaluation, step: 40, lossNats: 1.5 },
  best: { ...evaluation, step: 30 },
};

it('packs one folder, and what comes out of the zip is what went in', async () => {
  const weights = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251);
  const text = new TextEncoder().encode('{"r": 4}');
  const zip = await zipFolder('tiny-lora', [
    { path: 'adapter_config.json', bytes: text },
    { path: 'adapter_model.safetensors', bytes: weights },
    { path: 'README.md', bytes: new TextEncoder().encode(modelCard(facts)) },
  ]);
  const entries = unzipSync(zip);
  expect(Object.keys(entries)).toEqual(['tiny-lora/adapter_config.json', 'tiny-lora/adapter_model.safetensors', 'tiny-lora/README.md']);
  expect(entries['tiny-lora/adapter_config.json']).toEqual(text);
  expect(entries['tiny-lora/adapter_model.safetensors']).toEqual(weights);
  expect(new TextDecoder().decode(entries['tiny-lora/README.md'])).toBe(modelCard(facts));
});

it('tells of base, recipe, data and last values, with metadata that a hub reads', () => {
  const card = modelCard(facts);
  const [, metadata] = card.split('---\n');
  expect(parse(metadata)).toEqual({
    library_name: 'peft',
    pipeline_tag: 'text-generation',
    base_model: 'org/tiny',
    tags: ['base_model:adapter:org/tiny', 'lora'],
  });
  for (const line of [
    '| Parameters | 1992768 |',
    '| Rows trained on | 200 |',
    '| Tokens of a row, median | 25 |',
    '| Steps | 40 of 60 |',
    '| Training loss, last step | 0.1235 |',
    '| Held-out rows, best | loss 1.386, perplexity 4, token accuracy 81.3 % (step 30, 30 rows) |',
    '| `lora_r` | 16 |',
    '| `target_modules` | q_proj, v_proj |',
  ]) {
    expect(card.split('\n')).toContain(line);
  }
});

it('says nothing of the rows, of files, and of what the template has', () => {
  const card = modelCard(facts);
  for (const secret of ['secret', 'anna', 'Anna', 'message', 'private', 'diagnosis']) expect(card).not.toContain(secret);
});

it('leaves out what is not known, and a base that is no id of a hub', () => {
  const data = { rows: null, heldOutRows: null, medianTokens: null, maxTokens: null };
  const card = modelCard({
    ...facts,
    base: { ...facts.base, name: 'a | b.gguf' },
    data,
    lastLossNats: null,
    last: null,
    best: null,
    steps: null,
  });
  const [, metadata] = card.split('---\n');
  expect(parse(metadata)).toEqual({ library_name: 'peft', pipeline_tag: 'text-generation', tags: ['lora'] });
  expect(card).not.toMatch(/Rows trained|Training loss|Held-out|null|undefined|NaN/);
  expect(card).toContain('| Model | a \\| b.gguf |');
  expect(card).toContain('| Steps | 40 |');
});

it.each([
  ['demo', 'demo-lora'],
  ['org/Tiny Model', 'org-Tiny-Model-lora'],
  ['SmolLM2-135M.Q4_1.gguf', 'SmolLM2-135M.Q4_1-lora'],
  ['../..', 'model-lora'],
  ['模型', '模型-lora'],
])('names the folder of %s %s', (model, folder) => {
  expect(folderName(model)).toBe(folder);
});

it('gives the lines for a folder and for a GGUF, quoted where they have to be', () => {
  const [peft, olive, llamaCpp] = usages('org/tiny', 'org-tiny-lora');
  expect(peft.code).toContain('PeftModel.from_pretrained(base, "org-tiny-lora")');
  expect(olive.code).toBe(
    'olive convert-adapters --adapter_path org-tiny-lora --adapter_format onnx_adapter --output_path org-tiny-lora.onnx_adapter',
  );
  expect(llamaCpp.code).toContain('convert_lora_to_gguf.py --base org/tiny --outfile org-tiny-lora.gguf org-tiny-lora');
  const [ofGguf, , llamaOfGguf] = usages("it's.gguf", '模型-lora');
  expect(ofGguf.code).toContain('from_pretrained(".", gguf_file="it\'s.gguf")');
  expect(llamaOfGguf.code).toContain("llama-cli -m 'it'\\''s.gguf' --lora '模型-lora.gguf'");
});
