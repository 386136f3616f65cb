/** `loratory finetune`: opens model and rows, trains, writes the adapter and the trainer's state. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import { type FinetuneFlags, parseFinetuneFlags } from '#cli/flags.ts';
import { ProgressLine, formatBytes } from '#cli/progress.ts';
import type { Sequence } from '#data/batch.ts';
import { packStep } from '#data/packing.ts';
import { loadRows } from '#data/load-rows.ts';
import type { DataOptions } from '#data/mapping.ts';
import { type TokenizedRows, tokenizeRows } from '#data/tokenize.ts';
import { openGpu } from '#engine/gpu/device.ts';
import { PURPOSES, totalBytes } from '#engine/gpu/ledger.ts';
import { nodeGpu } from '#engine/gpu/node-gpu.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { ResidentModel, describeModel } from '#engine/models/model.ts';
import type { StepReport } from '#engine/train/trainer.ts';
import { openRows } from '#formats/rows.ts';
import { dataOptions } from '#recipe/recipe.ts';
import { adapterFiles, readAdapterFolder } from '#run/adapter-files.ts';
import { LoraRun, type RunPlan, planRun } from '#run/lora-run.ts';
import { openModelFiles } from '#run/open-files.ts';
import { openNodeFile, openNodePath } from '#storage/node-files.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export async function finetune(args: string[]): Promise<void> {
  const flags = parseFinetuneFlags(args);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const gpu = await openGpu(nodeGpu());
  const { adapter } = gpu;
  say(`adapter: ${adapter.description || adapter.vendor}${adapter.isSoftware ? ' (computes on the CPU, not a GPU)' : ''}`);
  const { checkpoint, tokenizer } = await openModelFiles(await openNodePath(flags.model));
  const model = describeModel(checkpoint, gpu.limits);
  say(
    `model: ${basename(resolve(flags.model))}, ${model.config.type}, ${(model.parameterCount / 1e6).toFixed(1)}M parameters, ${formatBytes(model.weightBytes)}`,
  );
  const rows = await readRows(flags.dataFiles, flags, tokenizer);
  const evalRows = flags.evalFiles.length > 0 ? await readRows(flags.evalFiles, flags, tokenizer) : null;
  const start = flags.adapterPath === null ? null : await readAdapterFolder(model, await openNodePath(flags.adapterPath));
  if (start) {
    const { r, loraAlpha, loraDropout, targetModules } = start.options;
    Object.assign(flags.recipe, { lora_r: r, lora_alpha: loraAlpha, lora_dropout: loraDropout, target_modules: targetModules });
  }
  const plan = planRun(
    model,
    flags.recipe,
    rows.sequences.map(({ tokens }) => tokens.length),
    gpu,
    { recompute: flags.recompute },
  );
  reportPlan(plan, rows, say);
  if (flags.isDryRun) {
    process.stdout.write(`${JSON.stringify(planJson(plan, rows), null, 2)}\n`);
    return;
  }
  const queue = new SubmitQueue(gpu);
  const upload = new ProgressLine('weights', 'bytes');
  await ResidentModel.upload(gpu, checkpoint, model, ({ doneBytes, totalBytes: total }) => upload.show(doneBytes, total));
  const run = await LoraRun.create(gpu, queue, plan, rows.sequences, start?.values);
  const history = await train(run);
  const evaluation = evalRows ? await evaluate(run, evalRows.sequences) : null;
  await writeResults(run, flags, history, evaluation);
  const last = history.at(-1);
  process.stdout.write(
    `${JSON.stringify({
      output: flags.output,
      steps: run.step,
      loss: last?.lossNats ?? null,
      eval_loss: evaluation?.lossNats ?? null,
      planned_bytes: totalBytes(plan.training.bytes),
      peak_bytes: gpu.ledger.peakBytes,
    })}\n`,
  );
}

async function readRows(paths: string[], flags: FinetuneFlags, tokenizer: Tokenizer): Promise<TokenizedRows> {
  const files = await Promise.all(paths.map(async (path) => ({ name: basename(path), rows: await openRows(await openNodeFile(path)) })));
  const set = await loadRows(files as [(typeof files)[0], ...typeof files]);
  const line = new ProgressLine('tokens', 'rows');
  const options: DataOptions = dataOptions(flags.recipe);
  return tokenizeRows(
    { set, options, tokenizer, renderChat: chatRenderer(tokenizer) },
    { onProgress: (done, total) => line.show(done, total) },
  );
}

function reportPlan(plan: RunPlan, { sequences, report }: TokenizedRows, say: (text: string) => void): void {
  const { steps, training, layout } = plan;
  const bytes = PURPOSES.filter((purpose) => training.bytes[purpose] > 0).map(
    (purpose) => `${purpose} ${formatBytes(training.bytes[purpose])}`,
  );
  say(`rows: ${sequences.length} sequences, ${report.tokens} tokens, ${report.lossTokens} with loss, longest ${report.longest}`);
  for (const [what, { count }] of Object.entries({
    'cut off': report.truncated,
    'left out, empty': report.empty,
    'left out, nothing carries loss': report.noLoss,
  })) {
    if (count > 0) say(`  ${count} rows ${what}`);
  }
  say(`adapter: r ${layout.options.r}, ${layout.modules.length} linears, ${layout.parameterCount} trainable numbers`);
  say(`steps: ${steps.totalSteps} of ${steps.rowsPerStep} rows; capacities ${training.options.capacities.join(', ')} tokens`);
  say(`memory: ${formatBytes(totalBytes(training.bytes))} (${bytes.join(', ')})`);
}

function planJson(plan: RunPlan, { sequences, report }: TokenizedRows) {
  const { steps, training, layout } = plan;
  return {
    bytes: training.bytes,
    total_bytes: totalBytes(training.bytes),
    steps: steps.totalSteps,
    rows_per_step: steps.rowsPerStep,
    warmup_steps: steps.warmupSteps,
    capacities: training.options.capacities,
    sequences: sequences.length,
    tokens: report.tokens,
    loss_tokens: report.lossTokens,
    trainable_parameters: layout.parameterCount,
    dispatches: training.train.at(-1)?.dispatches,
  };
}

async function train(run: LoraRun): Promise<StepReport[]> {
  const history: StepReport[] = [];
  const line = new ProgressLine('training', 'steps');
  const total = run.plan.steps.totalSteps;
  // The first signal ends the run after the step that runs now and the adapter is written; the second ends at once.
  const onSignal = () => {
    if (run.control.isStopped) process.exit(130);
    process.stderr.write('\nstopping after this step; again to stop at once\n');
    run.control.stop();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    await run.train({
      onStep: (report) => {
        history.push(report);
        line.show(
          report.step,
          total,
          `loss ${report.lossNats.toFixed(4)}, ${Math.round((report.realTokens * 1000) / report.stepMs)} tokens/s`,
        );
      },
      onPause: (step, why) => {
        if (why !== 'not-finite') return;
        run.control.stop();
        throw new AppError(
          'train/not-finite',
          `step ${step}: the gradient is not finite; a lower learning rate was expected to be enough`,
          { step },
        );
      },
    });
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  return history;
}

async function evaluate(run: LoraRun, sequences: readonly Sequence[]): Promise<{ lossNats: number; accuracy: number; tokens: number }> {
  const { training, plan } = run;
  const largest = Math.max(...plan.training.options.capacities);
  let loss = 0;
  let tokens = 0;
  let correct = 0;
  for (const sequence of sequences) {
    if (sequence.tokens.length > largest) {
      throw new AppError(
        'data/invalid',
        `an evaluation row has ${sequence.tokens.length} tokens, at most ${largest} fit what the training rows needed`,
        {
          found: sequence.tokens.length,
          expected: largest,
        },
      );
    }
    const { batches, lossTokens } = packStep([sequence], plan.training.options.capacities);
    if (lossTokens === 0) continue;
    const result = await training.evaluate(batches, lossTokens);
    loss += result.lossNats * lossTokens;
    correct += result.correctTokens;
    tokens += lossTokens;
  }
  return { lossNats: loss / tokens, accuracy: correct / tokens, tokens };
}

/** Writes beside the target first, so that a crash leaves the former file whole. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

async function writeResults(
  run: LoraRun,
  flags: FinetuneFlags,
  history: StepReport[],
  evaluation: { lossNats: number; accuracy: number } | null,
): Promise<void> {
  const folder = join(flags.output, 'adapter');
  await mkdir(folder, { recursive: true });
  const files = adapterFiles(run.plan.layout, await run.training.readAdapter(), flags.model);
  for (const [name, content] of Object.entries(files) as [string, string | Uint8Array][]) await writeWhole(join(folder, name), content);
  await writeWhole(join(flags.output, 'trainer_state.json'), `${JSON.stringify(trainerState(run, history, evaluation), null, 2)}\n`);
}

/** transformers' trainer_state.json, as far as we have its fields. */
function trainerState(run: LoraRun, history: StepReport[], evaluation: { lossNats: number; accuracy: number } | null) {
  const { recipe, steps } = run.plan;
  const every = recipe.logging_steps;
  const log = history
    .filter(({ step }) => step % every === 0 || step === 1 || step === history.length)
    .map(({ step, epoch, lossNats, gradientNorm, learningRate }) => ({
      step,
      epoch,
      loss: lossNats,
      grad_norm: gradientNorm,
      learning_rate: learningRate,
    }));
  return {
    epoch: history.at(-1)?.epoch ?? 0,
    global_step: run.step,
    max_steps: steps.totalSteps,
    num_train_epochs: Math.ceil(steps.epochs),
    logging_steps: every,
    train_batch_size: recipe.per_device_train_batch_size,
    log_history: evaluation
      ? [
          ...log,
          {
            step: run.step,
            epoch: history.at(-1)?.epoch ?? 0,
            eval_loss: evaluation.lossNats,
            eval_mean_token_accuracy: evaluation.accuracy,
          },
        ]
      : log,
  };
}
