/**
 * Writes the engine's logits of a text with an adapter that was trained, for reference/check_adapter.py:
 * `node --import ./bin/loader.mjs reference/adapters/logits.ts MODEL ADAPTER TEXT FILE.safetensors`
 */
import { writeFile } from 'node:fs/promises';
import { openGpu } from '#engine/gpu/device.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { layoutLora } from '#engine/methods/lora.ts';
import { describeModel } from '#engine/models/model.ts';
import { readAdapterFolder } from '#run/adapter-files.ts';
import { openModelFiles } from '#run/open-files.ts';
import { engineLogits, logitsFile } from '#run/records/engine-logits.ts';
import { openNodePath } from '#storage/node-files.ts';

const [base, folder, text, file] = process.argv.slice(2);
if (base === undefined || folder === undefined || text === undefined || file === undefined) {
  console.error('logits.ts MODEL ADAPTER TEXT FILE.safetensors');
  process.exit(1);
}
const gpu = await openGpu(nodeGpu());
const { checkpoint, tokenizer } = await openModelFiles(await openNodePath(base));
const model = describeModel(checkpoint, gpu.limits);
const { options, values } = await readAdapterFolder(model, await openNodePath(folder));
const tokens = tokenizer.encode(text, { addSpecialTokens: false });
const adapter = { layout: layoutLora(model, options), values };
await writeFile(file, logitsFile(tokens, await engineLogits(gpu, checkpoint, model, tokens, adapter)));
console.log(`${gpu.adapter.description}: ${tokens.length} tokens. Now ask PEFT:`);
console.log(`python reference/check_adapter.py ${base} ${folder} ${file} --float64`);
// Dawn keeps the process alive for as long as it has a device.
process.exit(0);
