/** What a run leaves behind: PEFT's two files and transformers' trainer_state.json, each whole or not at all. Knows no device. */
import { mkdir, rename, rmdir, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AppError } from '#base/errors.ts';
import type { StepReport } from '#engine/train/trainer.ts';
import type { PeftFiles } from '#export/peft-adapter.ts';
import type { RunPlan } from '#run/lora-run.ts';

export interface Evaluation {
  lossNats: number;
  accuracy: number;
  tokens: number;
}

function outputError(folder: string, what: string, cause?: unknown): AppError {
  return new AppError('storage/failed', `--output_path ${folder}: ${what}`, { file: folder }, cause);
}

const causeText = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** @throws AppError `storage/failed` when the output can be no folder: told before the work, not after it. */
export async function checkOutput(folder: string): Promise<void> {
  const status = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw outputError(folder, causeText(error), error);
  });
  if (status && !status.isDirectory()) throw outputError(folder, 'a file was found, a folder or nothing was expected');
}

/** The output folder of a run, made before the first step, so that a disk that cannot be written is no loss of hours. */
export class OutputFolder {
  readonly path: string;
  readonly #adapter: string;
  /** The outermost folder that had to be made. */
  readonly #made: string | undefined;

  private constructor(path: string, made: string | undefined) {
    this.path = path;
    this.#adapter = join(path, 'adapter');
    this.#made = made;
  }

  /** @throws AppError `storage/failed` */
  static async create(path: string): Promise<OutputFolder> {
    const made = await mkdir(join(path, 'adapter'), { recursive: true }).catch((error: unknown) => {
      throw outputError(path, causeText(error), error);
    });
    return new OutputFolder(path, made);
  }

  async write(adapter: PeftFiles, state: object): Promise<void> {
    try {
      for (const [name, content] of Object.entries(adapter) as [string, string | Uint8Array][]) {
        await writeWhole(join(this.#adapter, name), content);
      }
      await writeWhole(join(this.path, 'trainer_state.json'), `${JSON.stringify(state, null, 2)}\n`);
    } catch (error) {
      throw outputError(this.path, causeText(error), error);
    }
  }

  /** Takes the folders that were made away again, where nothing was written into them. */
  async discard(): Promise<void> {
    if (this.#made === undefined) return;
    const folders = resolve(this.#made) === resolve(this.#adapter) ? [this.#adapter] : [this.#adapter, this.path];
    for (const folder of folders) await rmdir(folder).catch(() => undefined);
  }
}

/** Writes beside the target first, so that a crash leaves the former file whole. */
async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

/** transformers' trainer_state.json, as far as we have its fields. */
export function trainerState({ recipe, steps }: RunPlan, history: readonly StepReport[], evaluation: Evaluation | null): object {
  const every = recipe.logging_steps;
  const last = history.at(-1);
  const log: object[] = history
    .filter(({ step }) => step % every === 0 || step === 1 || step === last?.step)
    .map(({ step, epoch, lossNats, gradientNorm, learningRate }) => ({
      step,
      epoch,
      loss: lossNats,
      grad_norm: gradientNorm,
      learning_rate: learningRate,
    }));
  const place = { step: last?.step ?? 0, epoch: last?.epoch ?? 0 };
  if (evaluation) log.push({ ...place, eval_loss: evaluation.lossNats, eval_mean_token_accuracy: evaluation.accuracy });
  return {
    epoch: place.epoch,
    global_step: place.step,
    max_steps: steps.totalSteps,
    num_train_epochs: Math.ceil(steps.epochs),
    logging_steps: every,
    train_batch_size: recipe.per_device_train_batch_size,
    log_history: log,
  };
}
