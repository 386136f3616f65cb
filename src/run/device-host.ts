/** The device of a session and the model that is open on it: opened, replaced, and taken anew when the device is lost. Knows no run. */
import type { ByteSource } from '#base/bytes.ts';
import { AppError, invariant } from '#base/errors.ts';
import { type Gpu, openGpu } from '#engine/gpu/device.ts';
import { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { type Model, ResidentModel, type UploadProgress, describeModel } from '#engine/models/model.ts';
import type { Checkpoint } from '#formats/weights.ts';
import { openModelFiles } from '#run/open-files.ts';
import { modelKey } from '#storage/model-key.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** What was read of a model's files; it outlives the device. */
export interface ModelSource {
  name: string;
  key: string;
  files: ReadonlyMap<string, ByteSource>;
  checkpoint: Checkpoint;
  tokenizer: Tokenizer;
}

export interface OpenModel extends ModelSource {
  model: Model;
}

interface Resident {
  gpu: Gpu;
  open: OpenModel;
  weights: ResidentModel;
}

export class DeviceHost {
  readonly #entry: GPU | undefined;
  readonly #onLost: (reason: string) => void;
  #gpu: Promise<Gpu> | null = null;
  #queue: SubmitQueue | null = null;
  #source: ModelSource | null = null;
  #resident: Resident | null = null;
  #isClosed = false;

  /** `onLost`: the device went; nothing of it is valid any more. */
  constructor(entry: GPU | undefined, onLost: (reason: string) => void) {
    this.#entry = entry;
    this.#onLost = onLost;
  }

  /** @throws AppError `gpu/no-webgpu`, `gpu/no-adapter` */
  device(): Promise<Gpu> {
    const entry = this.#entry;
    if (!entry) throw new AppError('gpu/no-webgpu', 'this browser offers no WebGPU to the page');
    this.#gpu ??= this.#open(entry);
    return this.#gpu;
  }

  /** A second device of the same adapter, whose loss does the first no harm. The caller destroys it. */
  async openAnother(): Promise<Gpu> {
    if (!this.#entry) throw new AppError('gpu/no-webgpu', 'this browser offers no WebGPU to the page');
    return openGpu(this.#entry, { powerPreference: 'high-performance' });
  }

  submits(): SubmitQueue {
    invariant(this.#queue, 'the device is not open');
    return this.#queue;
  }

  /** Whether a model was opened, on the device or, after a loss, on its way back. */
  get hasModel(): boolean {
    return this.#source !== null;
  }

  /** @throws AppError `run/no-model`; `gpu/device-lost` while a lost device's model is not back yet. */
  model(): OpenModel {
    if (this.#resident) return this.#resident.open;
    if (this.#source) throw new AppError('gpu/device-lost', 'the graphics device was lost, and the model is not back on a new one yet');
    throw new AppError('run/no-model', 'no model is open');
  }

  /**
   * Opens a model in the place of the one that is open, which stays when the new one's files cannot be read: `beforeReplacing` is called
   * once they have been checked.
   */
  async openModel(
    name: string,
    files: ReadonlyMap<string, ByteSource>,
    calls: { beforeReplacing: () => void; onProgress: (progress: UploadProgress) => void; signal: AbortSignal },
  ): Promise<OpenModel> {
    const gpu = await this.device();
    const { checkpoint, tokenizer } = await openModelFiles(files);
    const model = describeModel(checkpoint, gpu.limits);
    const source = { name, key: await modelKey(files), files, checkpoint, tokenizer };
    calls.beforeReplacing();
    this.closeModel();
    const weights = await ResidentModel.upload(gpu, checkpoint, model, calls.onProgress, calls.signal);
    this.#source = source;
    this.#resident = { gpu, open: { ...source, model }, weights };
    return this.#resident.open;
  }

  /** Takes a new device after a loss, and puts the model that was open back on it. */
  async reopen(onProgress: (progress: UploadProgress) => void = () => {}): Promise<Gpu> {
    const gpu = await this.device();
    const source = this.#source;
    if (source && this.#resident?.gpu !== gpu) {
      const model = describeModel(source.checkpoint, gpu.limits);
      const weights = await ResidentModel.upload(gpu, source.checkpoint, model, onProgress);
      this.#resident = { gpu, open: { ...source, model }, weights };
    }
    return gpu;
  }

  closeModel(): void {
    this.#resident?.weights.destroy();
    this.#resident = null;
    this.#source = null;
  }

  /** Gives everything back; its loss is not told. */
  async destroy(): Promise<void> {
    this.#isClosed = true;
    this.closeModel();
    if (this.#gpu) (await this.#gpu).destroy();
  }

  async #open(entry: GPU): Promise<Gpu> {
    try {
      const gpu = await openGpu(entry, { powerPreference: 'high-performance' });
      this.#queue = new SubmitQueue(gpu);
      void gpu.lost.then((reason) => {
        if (this.#isClosed) return;
        this.#gpu = null;
        this.#queue = null;
        this.#resident = null;
        this.#onLost(reason);
      });
      return gpu;
    } catch (error) {
      this.#gpu = null;
      throw error;
    }
  }
}
