/** `loratory finetune`: opens model and rows, trains, writes the adapter and the trainer's state. */
import { basename, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import { openNodeDevice } from '#cli/device.ts';
import { type FinetuneFlags, parseFinetuneFlags } from '#cli/flags.ts';
import { planJson, planLines } from '#cli/plan-report.ts';
import { ProgressLine, formatBytes, formatCount } from '#cli/progress.ts';
import { checkCheckpoint, checkpointName, openCheckpoint } from '#cli/resume.ts';
import { OutputFolder, checkOutput } from '#cli/results.ts';
import { train } from '#cli/train.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import { loadRows } from '#data/load-rows.ts';
import type { RowSet } from '#data/rows.ts';
import { type TokenizedRows, tokenizeRows } from '#data/tokenize.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import type { LoraOptions } from '#engine/methods/lora.ts';
import { ResidentModel, describeModel } from '#engine/models/model.ts';
import { openRows } from '#formats/rows.ts';
import { type Recipe, dataOptions } from '#recipe/recipe.ts';
import { adapterFiles, readAdapterFolder } from '#run/adapter-files.ts';
import { readTrainingState, sequencesKey, trainerState } from '#run/checkpoint.ts';
import { LoraRun, planRun } from '#run/lora-run.ts';
import { openModelFiles } from '#run/open-files.ts';
import { lastLoss } from '#run/position.ts';
import { CheckpointFolder } from '#storage/checkpoints.ts';
import { modelKey } from '#storage/model-key.ts';
import { openNodeFile, openNodePath } from '#storage/node-files.ts';
import { nodeStore } from '#storage/node-store.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Trained to the end, or ended by the user after a step; the adapter is written either way. */
export type Outcome = 'complete' | 'interrupted';

const say = (text: string) => process.stderr.write(`${text}\n`);

export async function finetune(args: string[]): Promise<Outcome> {
  const flags = parseFinetuneFlags(args);
  await checkOutput(flags.output);
  const modelFiles = await openNodePath(flags.model);
  const { checkpoint, tokenizer } = await openModelFiles(modelFiles);
  const trainSet = await openRowSet(flags.dataFiles);
  const evalSet = flags.evalFiles.length > 0 ? await openRowSet(flags.evalFiles) : null;
  const gpu = await openNodeDevice();
  say(`device: ${gpu.adapter.description || gpu.adapter.vendor}${gpu.adapter.isSoftware ? ' (computes on the CPU, not a GPU)' : ''}`);
  const model = describeModel(checkpoint, gpu.limits);
  say(
    `model: ${basename(resolve(flags.model))}, ${model.config.type}, ${formatCount(model.parameterCount)} parameters, ${formatBytes(model.weightBytes)}`,
  );
  const start = flags.adapterPath === null ? null : await readAdapterFolder(model, await openNodePath(flags.adapterPath));
  const recipe: Recipe = start ? { ...flags.recipe, ...adapterFields(start.options) } : flags.recipe;
  const rows = await tokenize(trainSet, recipe, tokenizer);
  const evalRows = evalSet ? await tokenize(evalSet, recipe, tokenizer) : null;
  const validation = evalRows ? { sequences: evalRows.sequences, rowCount: evalRows.report.rowsRead } : null;
  const identity = { modelName: flags.model, modelKey: await modelKey(modelFiles), rows: await sequencesKey(rows.sequences) };
  const folder = new CheckpointFolder(nodeStore(flags.output), '', checkpointName);
  const kept = flags.resume === null ? null : await openCheckpoint(flags.resume, folder);
  const lengths = (of: TokenizedRows | null) => (of?.sequences ?? []).map(({ tokens }) => tokens.length);
  const plan = planRun(model, recipe, lengths(rows), gpu, { validationLengths: lengths(evalRows), variant: kept?.state.variant });
  if (kept) checkCheckpoint(kept.state, plan, identity).forEach(say);
  planLines(plan, rows).forEach(say);
  if (flags.isDryRun) {
    process.stdout.write(`${JSON.stringify(planJson(plan, rows), null, 2)}\n`);
    return 'complete';
  }
  const upload = new ProgressLine('weights', 'bytes');
  await ResidentModel.upload(gpu, checkpoint, model, ({ doneBytes, totalBytes: total }) => upload.show(doneBytes, total));
  const state = kept ? await readTrainingState(plan.layout, kept.files) : { adapter: start?.values };
  const run = await LoraRun.create(gpu, new SubmitQueue(gpu), plan, { sequences: rows.sequences, validation }, state);
  const output = await OutputFolder.create(flags.output);
  try {
    const { outcome, failure } = await train({ run, identity, checkpoints: folder, from: kept?.state.position ?? null });
    const { position, evaluation, adapterStep } = outcome;
    if (position.step === 0) throw new AppError('run/cancelled', 'stopped before the first step; nothing is written');
    await output.write(adapterFiles(plan.layout, await run.training.readAdapter(), flags.model), trainerState(plan, position));
    if (failure) throw failure;
    const isWhole = outcome.endedBy !== 'stopped';
    const result = {
      output: flags.output,
      steps: position.step,
      is_complete: isWhole,
      ended_by: outcome.endedBy,
      adapter_step: adapterStep,
      loss: lastLoss(position),
      eval_loss: evaluation?.lossNats ?? null,
      best_step: position.best?.step ?? null,
      planned_bytes: totalBytes(plan.training.bytes),
      peak_bytes: gpu.ledger.peakBytes,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return isWhole ? 'complete' : 'interrupted';
  } finally {
    await output.discard();
  }
}

async function openRowSet(paths: FinetuneFlags['dataFiles']): Promise<RowSet> {
  const files = await Promise.all(paths.map(async (path) => ({ name: basename(path), rows: await openRows(await openNodeFile(path)) })));
  return loadRows(files as [(typeof files)[0], ...typeof files]);
}

function tokenize(set: RowSet, recipe: Recipe, tokenizer: Tokenizer): Promise<TokenizedRows> {
  const line = new ProgressLine('tokens', 'rows');
  return tokenizeRows(
    { set, options: dataOptions(recipe), tokenizer, renderChat: chatRenderer(tokenizer) },
    { onProgress: (done, total) => line.show(done, total) },
  );
}

/** What an adapter that is gone on from decides, whatever the flags say. */
function adapterFields({ r, loraAlpha, loraDropout, targetModules }: LoraOptions): Partial<Recipe> {
  const targets = targetModules === 'all-linear' ? targetModules : [...targetModules];
  say(`going on from an adapter: r ${r}, alpha ${loraAlpha}, dropout ${loraDropout}, target modules ${targets}`);
  return { lora_r: r, lora_alpha: loraAlpha, lora_dropout: loraDropout, target_modules: targets };
}
