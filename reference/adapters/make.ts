/**
 * Writes a case's adapter of fixed numbers and the engine's logits with it, for reference/check_adapter.py:
 * `node --import ./bin/loader.mjs reference/adapters/make.ts CASE FOLDER`
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { describeModel } from '#engine/models/model.ts';
import { engineLogits, logitsFile } from '#run/records/engine-logits.ts';
import { fixedAdapter } from '#run/records/fixed-adapter.ts';
import { findRecordCase, openRecordCase } from '#run/records/record-cases.ts';

const [name, folder] = process.argv.slice(2);
if (name === undefined || folder === undefined) {
  console.error('make.ts CASE FOLDER');
  process.exit(1);
}
const found = findRecordCase(name);
const gpu = await openGpu(nodeGpu());
const { checkpoint, tokens } = await openRecordCase(found);
const model = describeModel(checkpoint, gpu.limits);
const adapter = fixedAdapter(model, found.r, found.name);
await mkdir(join(folder, 'adapter'), { recursive: true });
for (const [file, content] of Object.entries(adapter.files) as [string, string | Uint8Array][]) {
  await writeFile(join(folder, 'adapter', file), content);
}
await writeFile(join(folder, 'logits.safetensors'), logitsFile(tokens, await engineLogits(gpu, checkpoint, model, tokens, adapter)));
console.log(`${gpu.adapter.description}: ${tokens.length} tokens. Now ask PEFT:`);
console.log(`python reference/check_adapter.py ${found.base} ${join(folder, 'adapter')} ${join(folder, 'logits.safetensors')} --float64 --record ${name}`);
// Dawn keeps the process alive for as long as it has a device.
process.exit(0);
