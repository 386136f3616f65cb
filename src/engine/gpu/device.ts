/** Opens a WebGPU device and makes its buffers, layouts and pipelines. Knows nothing of tensors or models. */
import { AppError } from '#base/errors.ts';
import { type Kernel, pipelineKey } from '#engine/gpu/kernel.ts';
import { Ledger, type Purpose } from '#engine/gpu/ledger.ts';
import { haveQuads } from '#engine/gpu/quads.ts';

export interface GpuOptions {
  powerPreference?: GPUPowerPreference;
  /** Caps below the adapter's own maximum, so that a test can plan for a smaller device. In bytes. */
  maxBindingBytes?: number;
  maxBufferBytes?: number;
  /** False: as if the adapter had none, so that a test can run the kernels that do without. */
  quads?: boolean;
}

/** What the engine may bind and allocate on this device. In bytes. */
export interface GpuLimits {
  maxBindingBytes: number;
  maxBufferBytes: number;
  offsetAlignment: number;
  maxWorkgroupsPerDimension: number;
  /** Lanes 4i to 4i + 3 of a workgroup can hand each other values, and kernels that do so were faster where this was measured. */
  quads?: boolean;
}

export interface AdapterDescription {
  vendor: string;
  architecture: string;
  description: string;
  /** True for SwiftShader, lavapipe and other adapters that compute on the CPU: never to be called a GPU. */
  isSoftware: boolean;
  features: string[];
}

/** How many WebGPU objects were ever made: a step must not change any of these. */
export interface ObjectCounts {
  buffers: number;
  bindGroups: number;
  pipelines: number;
  querySets: number;
}

/** A buffer that the ledger counts; `destroy` gives its bytes back. */
export interface OwnedBuffer {
  readonly buffer: GPUBuffer;
  destroy(): void;
}

/** How long after a failed command the news of a lost device may come. */
const LOSS_MS = 250;
const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i;

export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, description } = adapter.info;
  const words = `${vendor} ${architecture} ${adapter.info.device} ${description}`;
  return {
    vendor,
    architecture,
    description,
    isSoftware: adapter.info.isFallbackAdapter || SOFTWARE.test(words),
    features: [...adapter.features].sort(),
  };
}

/**
 * Notes the first error outside of a scope. A function by itself: Dawn's package holds listeners for as long as the device lives, and one
 * that sees the device, be it through its scope alone, would hold it for ever.
 */
function hearUncaptured(device: GPUDevice): { message: string | null } {
  const heard: { message: string | null } = { message: null };
  device.addEventListener('uncapturederror', (event) => (heard.message ??= event.error.message));
  return heard;
}

export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly limits: GpuLimits;
  readonly ledger = new Ledger();
  readonly counts: ObjectCounts = { buffers: 0, bindGroups: 0, pipelines: 0, querySets: 0 };
  /** Resolves when the device is lost, with the reason in words. */
  readonly lost: Promise<string>;
  #lostBecause: string | null = null;
  readonly #layouts = new Map<string, GPUBindGroupLayout>();
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #uncaptured: { message: string | null };

  constructor(device: GPUDevice, adapter: AdapterDescription, limits: GpuLimits) {
    this.device = device;
    this.adapter = adapter;
    this.limits = limits;
    this.lost = device.lost.then((info) => (this.#lostBecause = info.message || info.reason || 'unknown reason'));
    this.#uncaptured = hearUncaptured(device);
  }

  /**
   * The error behind one that a command met: `gpu/device-lost` where the device is gone (or goes within a moment: the command may hear of
   * it first), else the error itself.
   */
  async causeOf(met: unknown): Promise<unknown> {
    if (this.#lostBecause === null && !(met instanceof AppError)) {
      await Promise.race([this.lost, after(LOSS_MS)]);
    }
    if (this.#lostBecause === null) return met;
    return new AppError('gpu/device-lost', `the graphics device was lost: ${this.#lostBecause}`, { found: this.#lostBecause }, met);
  }

  /** @throws AppError `gpu/validation` when the device reported an error outside of a scope since the last call. */
  throwIfFailed(): void {
    const { message } = this.#uncaptured;
    if (message === null) return;
    this.#uncaptured.message = null;
    throw new AppError('gpu/validation', `the device refused a command: ${message}`);
  }

  createBuffer(purpose: Purpose, label: string, sizeBytes: number, usage: GPUBufferUsageFlags): OwnedBuffer {
    if (sizeBytes > this.limits.maxBufferBytes) {
      throw new AppError(
        'gpu/limit',
        `${label}: ${sizeBytes} bytes are needed, a buffer of this device holds ${this.limits.maxBufferBytes}`,
        {
          found: sizeBytes,
          expected: this.limits.maxBufferBytes,
        },
      );
    }
    const buffer = this.device.createBuffer({ label, size: sizeBytes, usage });
    this.counts.buffers++;
    this.ledger.add(purpose, sizeBytes);
    let isLive = true;
    return {
      buffer,
      destroy: () => {
        if (!isLive) return;
        isLive = false;
        buffer.destroy();
        this.ledger.remove(purpose, sizeBytes);
      },
    };
  }

  /** Runs `make` under error scopes. @throws AppError `gpu/out-of-memory` or `gpu/validation` with `what` in its message. */
  async checked<T>(what: string, make: () => T | Promise<T>): Promise<T> {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    let result: { value: T } | { error: unknown };
    try {
      result = { value: await make() };
    } catch (error) {
      result = { error };
    }
    const validation = this.device.popErrorScope();
    const memory = this.device.popErrorScope();
    const [invalid, full] = await Promise.all([validation, memory]);
    if (full) throw new AppError('gpu/out-of-memory', `${what}: the device has no memory left (${full.message})`);
    if (invalid) throw new AppError('gpu/validation', `${what}: ${invalid.message}`);
    if ('error' in result) throw result.error;
    return result.value;
  }

  createBindGroup(descriptor: GPUBindGroupDescriptor): GPUBindGroup {
    this.counts.bindGroups++;
    return this.device.createBindGroup(descriptor);
  }

  layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const key = `${kernel.hasParams ? 'u' : '-'}${kernel.bindings.map((b) => `${b.index}${b.access}`).join()}`;
    let layout = this.#layouts.get(key);
    if (!layout) {
      const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map((binding) => ({
        binding: binding.index,
        visibility: GPU_STAGE_COMPUTE,
        buffer: { type: binding.access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      if (kernel.hasParams) entries.push({ binding: 0, visibility: GPU_STAGE_COMPUTE, buffer: { type: 'uniform' } });
      layout = this.device.createBindGroupLayout({ label: key, entries });
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  /** The compiled kernel; one pipeline for each set of overrides. @throws AppError `gpu/validation` with the compiler's words. */
  pipeline(kernel: Kernel, overrides: Record<string, number>): Promise<GPUComputePipeline> {
    const key = pipelineKey(kernel, overrides);
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#compile(kernel, overrides, key);
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  async #compile(kernel: Kernel, overrides: Record<string, number>, label: string): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ label, code: kernel.source });
    this.counts.pipelines++;
    try {
      return await this.device.createComputePipelineAsync({
        label,
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [this.layoutOf(kernel)] }),
        compute: { module, entryPoint: 'main', constants: overrides },
      });
    } catch (error) {
      const info = await module.getCompilationInfo();
      const messages = info.messages.map((m) => `line ${m.lineNum}: ${m.message}`).join('; ');
      throw new AppError('gpu/validation', `kernel ${label} does not compile: ${messages || String(error)}`, {}, error);
    }
  }

  destroy(): void {
    this.device.destroy();
  }
}

// WebGPU's constants are globals in a browser alone; Node has none, so the engine names those it uses.
export const GPU_STAGE_COMPUTE = 4;
export const USAGE = { mapRead: 0x1, copySrc: 0x4, copyDst: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 } as const;
export const MAP_READ = 1;

/** Opens the adapter at its own maximum limits. @throws AppError `gpu/no-adapter`. */
export async function openGpu(gpu: GPU, options: GpuOptions = {}): Promise<Gpu> {
  const adapter = await gpu.requestAdapter(options.powerPreference ? { powerPreference: options.powerPreference } : {});
  if (!adapter) throw new AppError('gpu/no-adapter', 'WebGPU found no adapter on this machine');
  const { limits } = adapter;
  const wanted = ['timestamp-query', 'shader-f16', 'subgroups'].filter((name) => adapter.features.has(name)) as GPUFeatureName[];
  const device = await adapter.requestDevice({
    requiredFeatures: wanted,
    requiredLimits: {
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    },
  });
  const description = describeAdapter(adapter);
  return new Gpu(device, description, {
    maxBindingBytes: Math.min(options.maxBindingBytes ?? Infinity, limits.maxStorageBufferBindingSize),
    maxBufferBytes: Math.min(options.maxBufferBytes ?? Infinity, limits.maxBufferSize),
    offsetAlignment: Math.max(256, limits.minStorageBufferOffsetAlignment),
    maxWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    // Measured on software adapters alone: on a GPU the rows that a quad shares come from its cache anyway.
    quads: options.quads !== false && description.isSoftware && (await haveQuads(device)),
  });
}
