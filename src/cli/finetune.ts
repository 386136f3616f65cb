/** `loratory finetune`: opens model and rows, trains, writes the adapter, the checkpoints and the trainer's state. */
import { basename } from 'node:path';
import { AppError } from '#base/errors.ts';
import { openNodeDevice } from '#cli/device.ts';
import { type FinetuneFlags, parseFinetuneFlags, recipePath } from '#cli/flags.ts';
import { openHubRows, openModel } from '#cli/hub.ts';
import { makeWay } from '#cli/occupied.ts';
import { planJson, planLines } from '#cli/plan-report.ts';
import { ProgressLine, formatBytes, formatCount, say } from '#cli/progress.ts';
import { readRecipeFile } from '#cli/recipe-file.ts';
import { checkCheckpoint, checkIdentity, checkpointName, openCheckpoint, resumedRecipe, variantFor, withBest } from '#cli/resume.ts';
import { OutputFolder, checkOutput } from '#cli/results.ts';
import { type RowsOfSet, chooseRows } from '#cli/rows.ts';
import { type TrainOptions, train } from '#cli/train.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import { loadRows } from '#data/load-rows.ts';
import type { RowSet } from '#data/rows.ts';
import { type TokenizedRows, tokenizeRows } from '#data/tokenize.ts';
import type { Gpu } from '#engine/gpu/device.ts';
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
import type { FileStore } from '#storage/file-store.ts';
import { modelKey } from '#storage/model-key.ts';
import { openNodeFile, openNodePath } from '#storage/node-files.ts';
import { nodeStore } from '#storage/node-store.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Trained to the end, or ended by the user after a step; the adapter is written either way. */
export type Outcome = 'complete' | 'interrupted';

/** `openStore`: gives the files below the output folder. */
export async function finetune(args: string[], openStore: (root: string) => FileStore = nodeStore): Promise<Outcome> {
  const recipeFile = recipePath(args);
  const flags = parseFinetuneFlags(args, recipeFile === null ? {} : await readRecipeFile(recipeFile));
  await checkOutput(flags.output);
  const store = openStore(flags.output);
  const checkpoints = new CheckpointFolder(store, '', checkpointName);
  const kept = flags.resume === null ? null : await openCheckpoint(flags.resume, flags.output, checkpoints);
  const settled = kept ? resumedRecipe(kept.state.recipe, flags) : flags.recipe;
  const { files: modelFiles, name: modelName, title } = await openModel(flags);
  const { checkpoint, tokenizer } = await openModelFiles(modelFiles);
  const { sets, trainSplit } = await openRowSets(flags);
  const chosen = await chooseRows(sets, { ...flags, trainSplit }, settled);
  const gpu = await openNodeDevice();
  try {
    say(`device: ${gpu.adapter.description || gpu.adapter.vendor}${gpu.adapter.isSoftware ? ' (computes on the CPU, not a GPU)' : ''}`);
    const model = describeModel(checkpoint, gpu.limits);
    say(`model: ${title}, ${model.config.type}, ${formatCount(model.parameterCount)} parameters, ${formatBytes(model.weightBytes)}`);
    chosen.lines.forEach(say);
    // A checkpoint has an adapter of its own.
    const adapterPath = kept ? null : flags.adapterPath;
    const start = adapterPath === null ? null : await readAdapterFolder(model, await openNodePath(adapterPath));
    const recipe: Recipe = start ? { ...settled, ...adapterFields(start.options) } : settled;
    const rows = await tokenize(chosen.train, recipe, tokenizer);
    const evalRows = chosen.validation ? await tokenize(chosen.validation, recipe, tokenizer) : null;
    const validation = evalRows ? { sequences: evalRows.sequences, rowCount: evalRows.report.rowsRead } : null;
    const identity = { modelName, modelKey: await modelKey(modelFiles), rows: await sequencesKey(rows.sequences) };
    if (kept) checkIdentity(kept.state.identity, identity);
    const validationLengths = lengthsOf(evalRows);
    const variant = kept ? variantFor(kept.state, validationLengths) : undefined;
    const plan = planRun(model, recipe, lengthsOf(rows), gpu, { validationLengths, variant });
    if (kept) checkCheckpoint(kept, plan).forEach(say);
    planLines(plan, rows, evalRows).forEach(say);
    if (flags.isDryRun) {
      process.stdout.write(`${JSON.stringify(planJson(plan, rows, evalRows), null, 2)}\n`);
      return 'complete';
    }
    const { output } = flags;
    const fromStep = kept?.isInOutput ? kept.state.position.step : null;
    (await makeWay({ checkpoints, output, fromStep, recipe, identity })).forEach(say);
    const upload = new ProgressLine('weights', 'bytes');
    await ResidentModel.upload(gpu, checkpoint, model, ({ doneBytes, totalBytes: total }) => upload.show(doneBytes, total));
    const state = kept ? await readTrainingState(plan.layout, kept.files) : { adapter: start?.values };
    const run = await LoraRun.create(gpu, new SubmitQueue(gpu), plan, { sequences: rows.sequences, validation }, state);
    const folder = await OutputFolder.create(output, store);
    try {
      const from = kept ? await withBest(kept, checkpoints, recipe) : null;
      return await trainAndWrite({ flags, gpu, run, identity, checkpoints, from, keptStep: fromStep, folder });
    } finally {
      await folder.discard();
    }
  } finally {
    gpu.destroy();
  }
}

type TrainAndWrite = Omit<TrainOptions, 'output'> & { flags: FinetuneFlags; gpu: Gpu; folder: OutputFolder };

async function trainAndWrite({ flags, gpu, folder, ...options }: TrainAndWrite): Promise<Outcome> {
  const { run } = options;
  const { outcome, failure, savedStep } = await train({ ...options, output: flags.output }).catch(async (met: unknown) => {
    throw withAdvice(await gpu.causeOf(met), options.run.plan.recipe);
  });
  const { position, evaluation, adapterStep } = outcome;
  if (position.step === 0) throw failure ?? new AppError('run/cancelled', 'stopped before the first step; nothing is written');
  try {
    await folder.write(
      adapterFiles(run.plan.layout, await run.training.readAdapter(), options.identity.modelName),
      trainerState(run.plan, position),
    );
  } catch (error) {
    throw failure ?? error;
  }
  if (failure) throw failure;
  const isWhole = outcome.endedBy !== 'stopped';
  if (!isWhole && savedStep === position.step) say(`--resume_from_checkpoint true goes on from step ${savedStep}`);
  const result = {
    output: flags.output,
    steps: position.step,
    is_complete: isWhole,
    ended_by: outcome.endedBy,
    adapter_step: adapterStep,
    loss: lastLoss(position),
    eval_loss: evaluation?.lossNats ?? null,
    best_step: position.best?.step ?? null,
    planned_bytes: totalBytes(run.plan.training.bytes),
    peak_bytes: gpu.ledger.peakBytes,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return isWhole ? 'complete' : 'interrupted';
}

/** A lost device costs what came after the last checkpoint: that it is there is worth a word. */
function withAdvice(cause: unknown, { save_strategy: strategy }: Recipe): unknown {
  if (!(cause instanceof AppError) || cause.code !== 'gpu/device-lost' || strategy === 'no') return cause;
  const message = `${cause.message}; --resume_from_checkpoint true goes on from the last checkpoint`;
  return new AppError(cause.code, message, cause.details, cause);
}

const lengthsOf = (rows: TokenizedRows | null): number[] => (rows?.sequences ?? []).map(({ tokens }) => tokens.length);

async function openRowSets(flags: FinetuneFlags) {
  const { hubRows, dataFiles, evalFiles, trainSplit } = flags;
  const opened = hubRows === null ? { set: await openRowSet(dataFiles), evalSet: null, trainSplit } : await openHubRows(hubRows, flags);
  const evalSet = evalFiles.length > 0 ? await openRowSet(evalFiles) : opened.evalSet;
  return { sets: { set: opened.set, evalSet }, trainSplit: opened.trainSplit };
}

async function openRowSet(paths: readonly string[]): Promise<RowSet> {
  const files = await Promise.all(paths.map(async (path) => ({ name: basename(path), rows: await openRows(await openNodeFile(path)) })));
  return loadRows(files as [(typeof files)[0], ...typeof files]);
}

function tokenize({ set, rows }: RowsOfSet, recipe: Recipe, tokenizer: Tokenizer): Promise<TokenizedRows> {
  const line = new ProgressLine('tokens', 'rows');
  return tokenizeRows(
    { set, options: dataOptions(recipe), tokenizer, renderChat: chatRenderer(tokenizer) },
    { rows, onProgress: (done, total) => line.show(done, total) },
  );
}

/** What an adapter that is gone on from decides, whatever the flags say. */
function adapterFields({ r, loraAlpha, loraDropout, targetModules }: LoraOptions): Partial<Recipe> {
  const targets = targetModules === 'all-linear' ? targetModules : [...targetModules];
  say(`going on from an adapter: r ${r}, alpha ${loraAlpha}, dropout ${loraDropout}, target modules ${targets}`);
  return { lora_r: r, lora_alpha: loraAlpha, lora_dropout: loraDropout, target_modules: targets };
}
