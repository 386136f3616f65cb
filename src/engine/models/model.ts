/** A checkpoint made ready for the device: its architecture, every weight described, then uploaded in pieces. */
import { AppError, invariant } from '#base/errors.ts';
import { type Checkpoint, type WeightTensor, readFloat32, rowBytes } from '#formats/weights.ts';
import { type Gpu, type GpuLimits, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import { type Region, type Tensor, region, regionTensor } from '#engine/graph/tensor.ts';
import type { Architecture, ModelConfig } from '#engine/models/architecture.ts';
import { llama } from '#engine/models/llama.ts';
import { ropeTable } from '#engine/ops/rope/rope.ts';
import { toPlanes } from '#engine/ops/weights/relayout.ts';
import { type WeightMatrix, type WeightShard, describeWeight, planeBytes, regionsOf } from '#engine/ops/weights/weight-matrix.ts';

const ARCHITECTURES: readonly Architecture[] = [llama];
/** config.json's `model_type`s that are known. */
export const SUPPORTED_TYPES: readonly string[] = ARCHITECTURES.flatMap(({ types }) => types);

/** Bytes of a checkpoint held in JavaScript at a time while it is uploaded. */
const PIECE_BYTES = 32 * 2 ** 20;

export interface UploadProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface Model {
  readonly file: string;
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly matrices: ReadonlyMap<string, WeightMatrix>;
  readonly vectors: ReadonlyMap<string, Tensor>;
  readonly parameterCount: number;
  /** Bytes of every weight on the device. */
  readonly weightBytes: number;
}

export function architectureOf(file: string, raw: Record<string, unknown>): Architecture {
  const type = raw['model_type'];
  const found = ARCHITECTURES.find((architecture) => architecture.types.includes(String(type)));
  if (found) return found;
  const supported = SUPPORTED_TYPES.join(', ');
  throw new AppError('model/unsupported', `${file}: model_type is ${JSON.stringify(type) ?? 'missing'}; supported: ${supported}`, {
    file,
    field: 'model_type',
    found: String(type),
    expected: supported,
  });
}

function tensorOf(checkpoint: Checkpoint, name: string, shape: number[]): WeightTensor {
  const tensor = checkpoint.tensors.get(name);
  if (!tensor) {
    throw new AppError('model/invalid', `${checkpoint.file}: tensor ${name} is missing`, {
      file: checkpoint.file,
      tensor: name,
      expected: `[${shape.join(', ')}]`,
    });
  }
  if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
    throw new AppError(
      'model/invalid',
      `${checkpoint.file}: tensor ${name} is [${tensor.shape.join(', ')}], [${shape.join(', ')}] was expected`,
      {
        file: checkpoint.file,
        tensor: name,
        found: `[${tensor.shape.join(', ')}]`,
        expected: `[${shape.join(', ')}]`,
      },
    );
  }
  return tensor;
}

/**
 * Checks a checkpoint against its architecture and describes every weight; allocates nothing.
 * @throws AppError `model/unsupported`, `model/invalid` naming file and tensor, `gpu/limit`.
 */
export function describeModel(checkpoint: Checkpoint, limits: GpuLimits): Model {
  const { file, configFile = file } = checkpoint;
  const architecture = architectureOf(configFile, checkpoint.config);
  const config = architecture.config(configFile, checkpoint.config);
  const matrices = new Map<string, WeightMatrix>();
  let parameterCount = 0;
  for (const { name, rows, columns } of architecture.matrices(config)) {
    const tensor = tensorOf(checkpoint, name, [rows, columns]);
    matrices.set(name, describeWeight(name, tensor.type, rows, columns, limits));
    parameterCount += rows * columns;
  }
  const vectors = new Map<string, Tensor>();
  for (const { name, size } of architecture.vectors(config)) {
    tensorOf(checkpoint, name, [size]);
    vectors.set(name, regionTensor(name, [size], region(name, 'weights', size * 4)));
    parameterCount += size;
  }
  const regions = [...[...matrices.values()].flatMap(regionsOf), ...[...vectors.values()].map(regionOf)];
  const weightBytes = regions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { file, architecture, config, matrices, vectors, parameterCount, weightBytes };
}

function regionOf(tensor: Tensor): Region {
  invariant(tensor.region, `${tensor.name} has no region`);
  return tensor.region;
}

/** The weights of a model on a device. `destroy` gives their memory back. */
export class ResidentModel {
  readonly model: Model;
  readonly #buffers: OwnedBuffer[];

  private constructor(model: Model, buffers: OwnedBuffer[]) {
    this.model = model;
    this.#buffers = buffers;
  }

  /**
   * Allocates every weight under an out-of-memory scope, then copies the checkpoint in pieces of at most 32 MiB.
   * @throws AppError `gpu/out-of-memory`, `run/cancelled`; what was allocated is given back.
   */
  static async upload(
    gpu: Gpu,
    checkpoint: Checkpoint,
    model: Model,
    onProgress: (progress: UploadProgress) => void = () => {},
    signal?: AbortSignal,
  ): Promise<ResidentModel> {
    const buffers: OwnedBuffer[] = [];
    const allocate = (place: Region) => {
      const buffer = gpu.createBuffer('weights', place.name, place.sizeBytes, USAGE.storage | USAGE.copyDst | USAGE.copySrc);
      place.buffer = buffer.buffer;
      buffers.push(buffer);
    };
    const resident = new ResidentModel(model, buffers);
    try {
      await gpu.checked(`the weights of ${model.file}`, () => {
        for (const matrix of model.matrices.values()) regionsOf(matrix).forEach(allocate);
        for (const vector of model.vectors.values()) allocate(regionOf(vector));
      });
      let doneBytes = 0;
      const report = (bytes: number) => {
        doneBytes += bytes;
        onProgress({ doneBytes, totalBytes: model.weightBytes });
      };
      for (const [name, matrix] of model.matrices) {
        const tensor = checkpoint.tensors.get(name) as WeightTensor;
        for (const shard of matrix.shards) await uploadShard(gpu, tensor, matrix, shard, report, signal);
      }
      for (const [name, vector] of model.vectors) {
        throwIfCancelled(signal);
        const values = await readFloat32(checkpoint.tensors.get(name) as WeightTensor);
        gpu.device.queue.writeBuffer(regionOf(vector).buffer as GPUBuffer, 0, values as Float32Array<ArrayBuffer>);
        report(vector.sizeBytes);
      }
      await gpu.device.queue.onSubmittedWorkDone();
      return resident;
    } catch (error) {
      resident.destroy();
      throw error;
    }
  }

  destroy(): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AppError('run/cancelled', 'opening the model was cancelled');
}

async function uploadShard(
  gpu: Gpu,
  tensor: WeightTensor,
  matrix: WeightMatrix,
  shard: WeightShard,
  report: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  // Whole words of every plane at every piece's edge: 64 rows, as shards have.
  const step = Math.max(64, Math.floor(PIECE_BYTES / rowBytes(tensor.type, tensor.shape) / 64) * 64);
  for (let start = shard.start; start < shard.end; start += step) {
    throwIfCancelled(signal);
    const end = Math.min(shard.end, start + step);
    const { values, scales } = toPlanes(matrix.type, await tensor.readRows(start, end));
    const before = planeBytes(matrix.type, start - shard.start, matrix.columns);
    writePlane(gpu, shard.values, values, before.values);
    if (shard.scales && scales) writePlane(gpu, shard.scales, scales, before.scales);
    report(values.byteLength + (scales?.byteLength ?? 0));
    // The queue copies what is written to it: wait, so that only a piece is held at a time.
    await gpu.device.queue.onSubmittedWorkDone();
  }
}

function writePlane(gpu: Gpu, target: Tensor, bytes: Uint8Array, offset: number): void {
  const whole = bytes.byteLength % 4 === 0 ? bytes : padded(bytes);
  gpu.device.queue.writeBuffer(regionOf(target).buffer as GPUBuffer, offset, whole as Uint8Array<ArrayBuffer>);
}

function padded(bytes: Uint8Array): Uint8Array {
  const words = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  words.set(bytes);
  return words;
}

/** The constant cosine and sine table for positions up to `positions`, and its region. */
export function describeRopeTable(config: ModelConfig, positions: number): { table: Tensor; values: Float32Array } {
  const values = ropeTable(
    { theta: config.rope.theta, headSize: config.headSize, scaling: config.rope.scaling, factors: config.rope.factors },
    positions,
  );
  const place = region('rope table', 'weights', values.byteLength);
  return { table: regionTensor('rope table', [positions, config.headSize / 2, 2], place), values };
}
