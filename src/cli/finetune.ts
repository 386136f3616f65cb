/** `loratory finetune`: opens model and rows, trains, writes the adapter and the trainer's state. */
import { basename, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import { openNodeDevice } from '#cli/device.ts';
import { type FinetuneFlags, parseFinetuneFlags } from '#cli/flags.ts';
import { planJson, planLines } from '#cli/plan-report.ts';
import { ProgressLine, formatBytes, formatCount } from '#cli/progress.ts';
import { type Evaluation, OutputFolder, checkOutput, trainerState } from '#cli/results.ts';
import type { Sequence } from '#data/batch.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import { loadRows } from '#data/load-rows.ts';
import { packStep } from '#data/packing.ts';
import type { RowSet } from '#data/rows.ts';
import { type TokenizedRows, tokenizeRows } from '#data/tokenize.ts';
import { totalBytes } from '#engine/gpu/ledger.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import type { LoraOptions } from '#engine/methods/lora.ts';
import { ResidentModel, describeModel } from '#engine/models/model.ts';
import type { StepReport } from '#engine/train/trainer.ts';
import { openRows } from '#formats/rows.ts';
import { type Recipe, dataOptions } from '#recipe/recipe.ts';
import { adapterFiles, readAdapterFolder } from '#run/adapter-files.ts';
import { LoraRun, type RunPlan, planRun } from '#run/lora-run.ts';
import { openModelFiles } from '#run/open-files.ts';
import { openNodeFile, openNodePath } from '#storage/node-files.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Trained to the end, or ended by the user after a step; the adapter is written either way. */
export type Outcome = 'complete' | 'interrupted';

const say = (text: string) => process.stderr.write(`${text}\n`);

export async function finetune(args: string[]): Promise<Outcome> {
  const flags = parseFinetuneFlags(args);
  await checkOutput(flags.output);
  const { checkpoint, tokenizer } = await openModelFiles(await openNodePath(flags.model));
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
  const lengths = rows.sequences.map(({ tokens }) => tokens.length);
  const plan = planRun(model, recipe, lengths, gpu);
  if (evalSet && evalRows) checkEvaluation(evalSet.file, evalRows, plan);
  planLines(plan, rows).forEach(say);
  if (flags.isDryRun) {
    process.stdout.write(`${JSON.stringify(planJson(plan, rows), null, 2)}\n`);
    return 'complete';
  }
  const upload = new ProgressLine('weights', 'bytes');
  await ResidentModel.upload(gpu, checkpoint, model, ({ doneBytes, totalBytes: total }) => upload.show(doneBytes, total));
  const run = await LoraRun.create(gpu, new SubmitQueue(gpu), plan, rows.sequences, start?.values);
  const output = await OutputFolder.create(flags.output);
  try {
    const { history, failure } = await train(run);
    if (history.length === 0) throw new AppError('run/cancelled', 'stopped before the first step; nothing is written');
    const adapter = adapterFiles(plan.layout, await run.training.readAdapter(), flags.model);
    await output.write(adapter, trainerState(plan, history, null));
    if (failure) throw failure;
    const evaluation = evalRows ? await evaluate(run, evalRows.sequences) : null;
    if (evaluation) await output.write(adapter, trainerState(plan, history, evaluation));
    const isWhole = run.step === plan.steps.totalSteps;
    const result = {
      output: flags.output,
      steps: run.step,
      is_complete: isWhole,
      loss: history.at(-1)?.lossNats ?? null,
      eval_loss: evaluation?.lossNats ?? null,
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

/** `failure`: why training ended early with an adapter that is still good. @throws whatever the device throws. */
async function train(run: LoraRun): Promise<{ history: StepReport[]; failure: AppError | null }> {
  const history: StepReport[] = [];
  const line = new ProgressLine('training', 'steps');
  const total = run.plan.steps.totalSteps;
  let failure: AppError | null = null;
  // The first signal ends the run after the step that runs now and the adapter is written; the second ends at once.
  const onSignal = () => {
    if (run.control.isStopped) process.exit(EXIT_INTERRUPTED);
    say('\nstopping after this step; again to stop at once');
    run.control.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    await run.train({
      onStep: (report) => {
        history.push(report);
        const tokensPerSecond = Math.round((report.realTokens * 1000) / report.stepMs);
        line.show(report.step, total, `loss ${report.lossNats.toFixed(4)}, ${tokensPerSecond} tokens/s`);
      },
      onPause: (step, why) => {
        if (why !== 'not-finite') return;
        failure = new AppError(
          'train/not-finite',
          `step ${step}: an infinite or undefined gradient was found, a finite one was expected; the adapter without that step is written. ` +
            'Try a lower --learning_rate',
          { step },
        );
        run.control.stop();
      },
    });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  return { history, failure };
}

/** What a shell expects of a program that an interrupt ended. */
export const EXIT_INTERRUPTED = 130;

/** Evaluation replays the training rows' recordings: what does not fit is told before the run. */
function checkEvaluation(file: string, { report }: TokenizedRows, plan: RunPlan): void {
  const [found, expected] = [report.longest, Math.max(...plan.training.options.capacities)];
  if (found <= expected) return;
  const message = `${file}: a row of ${found} tokens was found, at most ${expected} were expected, which the training rows need; lower --max_seq_len`;
  throw new AppError('data/invalid', message, { file, found, expected });
}

async function evaluate({ training, plan }: LoraRun, sequences: readonly Sequence[]): Promise<Evaluation> {
  let loss = 0;
  let tokens = 0;
  let correct = 0;
  for (const sequence of sequences) {
    const { batches, lossTokens } = packStep([sequence], plan.training.options.capacities);
    if (lossTokens === 0) continue;
    const result = await training.evaluate(batches, lossTokens);
    loss += result.lossNats * lossTokens;
    correct += result.correctTokens;
    tokens += lossTokens;
  }
  return { lossNats: loss / tokens, accuracy: correct / tokens, tokens };
}
