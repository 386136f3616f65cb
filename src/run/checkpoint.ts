/** A checkpoint's files from a run's state, and back: PEFT's two, the optimizer's, transformers' trainer_state.json. Knows no storage. */
import { memorySource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import type { Sequence } from '#data/batch.ts';
import { type LoraLayout, fromPeftTensors, toPeftTensors } from '#engine/methods/lora.ts';
import type { TrainingState } from '#engine/train/training.ts';
import { readSafetensors, writeSafetensors } from '#formats/safetensors.ts';
import type { Recipe } from '#recipe/recipe.ts';
import { validateRecipe } from '#recipe/validate.ts';
import { adapterFiles } from '#run/adapter-files.ts';
import type { RunPlan, RunVariant } from '#run/lora-run.ts';
import type { RunPosition } from '#run/position.ts';
import { sha256Hex } from '#storage/file-store.ts';

export const CHECKPOINT_VERSION = 1;

/** Which model and which rows a run is of: a checkpoint goes on with the same alone. */
export interface RunIdentity {
  modelName: string;
  /** A fingerprint of the model's files. */
  modelKey: string;
  /** SHA-256 of the training sequences. */
  rows: string;
}

export interface CheckpointState {
  position: RunPosition;
  recipe: Recipe;
  variant: RunVariant;
  identity: RunIdentity;
}

const STATE_FILE = 'trainer_state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
const ADAPTER_FILE = 'adapter_model.safetensors';
const MOMENTS = { first: 'exp_avg', second: 'exp_avg_sq' } as const;

const utf8 = new TextEncoder();
const bytesOf = (values: Float32Array) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** SHA-256, in hexadecimal, of the sequences' tokens and loss masks. */
export async function sequencesKey(sequences: readonly Sequence[]): Promise<string> {
  const size = sequences.reduce((sum, { tokens }) => sum + 4 + 5 * tokens.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { tokens, lossMask } of sequences) {
    view.setUint32(at, tokens.length, true);
    at += 4;
    for (const token of tokens) {
      view.setUint32(at, token, true);
      at += 4;
    }
    bytes.set(lossMask, at);
    at += lossMask.length;
  }
  return sha256Hex(bytes);
}

/** transformers' trainer_state.json, as far as we have its fields. */
export function trainerState({ recipe, steps }: RunPlan, position: RunPosition): Record<string, unknown> {
  const { best } = position;
  return {
    best_global_step: best?.step ?? null,
    best_metric: best?.metric ?? null,
    best_model_checkpoint: best === null ? null : `checkpoint-${best.step}`,
    epoch: position.epoch,
    eval_steps: recipe.eval_steps,
    global_step: position.step,
    log_history: position.log,
    logging_steps: recipe.logging_steps,
    max_steps: steps.totalSteps,
    num_train_epochs: Math.ceil(steps.epochs),
    save_steps: recipe.save_steps,
    train_batch_size: recipe.per_device_train_batch_size,
  };
}

/** All that a run needs to go on as if it had never stopped, with the same bits on the same device. */
export function checkpointFiles(
  plan: RunPlan,
  state: TrainingState,
  position: RunPosition,
  identity: RunIdentity,
): Record<string, Uint8Array> {
  const { layout, recipe, variant } = plan;
  const adapter = adapterFiles(layout, state.adapter, identity.modelName);
  const moments = (['first', 'second'] as const).flatMap((which) =>
    toPeftTensors(layout, state[which]).map(({ name, shape, data }) => ({
      name: `${MOMENTS[which]}.${name}`,
      dtype: 'F32' as const,
      shape,
      data: bytesOf(data),
    })),
  );
  const { order, evaluationsWithoutGain, evaluatedAt } = position;
  const loratory = { version: CHECKPOINT_VERSION, order, evaluationsWithoutGain, evaluatedAt, recipe, variant, identity };
  return {
    'adapter_config.json': utf8.encode(adapter['adapter_config.json']),
    [ADAPTER_FILE]: adapter[ADAPTER_FILE],
    [OPTIMIZER_FILE]: writeSafetensors(moments, { format: 'pt' }),
    [STATE_FILE]: utf8.encode(`${JSON.stringify({ ...trainerState(plan, position), loratory }, null, 2)}\n`),
  };
}

function fileOf(files: Record<string, Uint8Array>, name: string): Uint8Array {
  if (Object.hasOwn(files, name)) return files[name];
  throw new AppError('format/invalid', `a checkpoint without ${name} was found, with it was expected`, { file: name });
}

/**
 * What a checkpoint says of its run; its numbers are read by `readTrainingState` once the layout is known.
 * @throws AppError `format/invalid`, `format/unsupported` for another version, `recipe/invalid`
 */
export function readCheckpointState(files: Record<string, Uint8Array>): CheckpointState {
  const refuse = (found: string, expected: string) =>
    new AppError('format/invalid', `${STATE_FILE}: ${found} was found, ${expected} was expected`, { file: STATE_FILE, found, expected });
  let state: Record<string, unknown>;
  try {
    state = JSON.parse(new TextDecoder().decode(fileOf(files, STATE_FILE))) as Record<string, unknown>;
  } catch (error) {
    throw error instanceof AppError ? error : refuse('text that is no JSON', "transformers' trainer_state.json");
  }
  const own = state.loratory as (Omit<CheckpointState, 'position'> & RunPosition & { version: unknown }) | undefined;
  if (!own) throw refuse('no field loratory', 'a checkpoint that loratory wrote');
  if (own.version !== CHECKPOINT_VERSION) {
    const message = `${STATE_FILE}: version ${String(own.version)} was found, ${CHECKPOINT_VERSION} was expected; a newer loratory wrote it`;
    throw new AppError('format/unsupported', message, { file: STATE_FILE, found: String(own.version), expected: CHECKPOINT_VERSION });
  }
  const { global_step: step, epoch, log_history: log, best_global_step: bestStep, best_metric: metric } = state;
  if (!Number.isSafeInteger(step) || typeof epoch !== 'number' || !Array.isArray(log)) {
    throw refuse('no global_step, epoch and log_history', 'these');
  }
  const best = typeof bestStep === 'number' && typeof metric === 'number' ? { step: bestStep, metric } : null;
  return {
    recipe: validateRecipe(own.recipe),
    variant: own.variant,
    identity: own.identity,
    position: {
      step: step as number,
      epoch,
      order: own.order,
      log: log as RunPosition['log'],
      best,
      evaluationsWithoutGain: own.evaluationsWithoutGain,
      evaluatedAt: own.evaluatedAt,
    },
  };
}

/** The tensors of a file in f32, by name; each a copy of its own, since a file's bytes are not aligned. */
async function readTensors(
  files: Record<string, Uint8Array>,
  name: string,
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const source = memorySource(name, fileOf(files, name));
  const { tensors } = await readSafetensors(source);
  const read = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const tensor of tensors.values()) {
    if (tensor.dtype !== 'F32') {
      throw new AppError('format/invalid', `${name}: tensor ${tensor.name} is ${tensor.dtype}, F32 was expected`, {
        file: name,
        tensor: tensor.name,
        found: tensor.dtype,
        expected: 'F32',
      });
    }
    const bytes = await source.read(tensor.start, tensor.end);
    read.set(tensor.name, { shape: tensor.shape, data: new Float32Array(bytes.slice().buffer) });
  }
  return read;
}

/** A checkpoint's numbers in the layout's order. @throws AppError `model/invalid` naming a tensor that does not fit. */
export async function readTrainingState(layout: LoraLayout, files: Record<string, Uint8Array>): Promise<TrainingState> {
  const optimizer = await readTensors(files, OPTIMIZER_FILE);
  const moment = (which: keyof typeof MOMENTS) => {
    const prefix = `${MOMENTS[which]}.`;
    const own = [...optimizer].filter(([name]) => name.startsWith(prefix));
    return fromPeftTensors(layout, new Map(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])));
  };
  return { adapter: await readAdapterState(layout, files), first: moment('first'), second: moment('second') };
}

/** The adapter alone, in the layout's order. */
export async function readAdapterState(layout: LoraLayout, files: Record<string, Uint8Array>): Promise<Float32Array> {
  return fromPeftTensors(layout, await readTensors(files, ADAPTER_FILE));
}
