/** Records a step's dispatches and, in reverse, those of its gradient. Knows shapes and kernels, allocates nothing. */
import { AppError, invariant } from '#base/errors.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import type { Grid, Kernel, Params } from '#engine/gpu/kernel.ts';
import { type Tensor, type View, arenaTensor, whole } from '#engine/graph/tensor.ts';
import { addInto, sum } from '#engine/graph/sum.ts';

/** One kernel run of the recorded step. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly label: string;
  readonly bindings: readonly View[];
  readonly params: Params;
  readonly overrides: Readonly<Record<string, number>>;
  readonly grid: Grid;
  /** Multiply-adds, about: bounds the GPU time of a submit. */
  readonly work: number;
  /** Encoded only when the batch has more loss rows than this; -1: always. */
  readonly minLossRows: number;
  /** Index of the recompute segment whose forward this is; -1: none. */
  readonly segment: number;
}

export interface RunOptions {
  overrides?: Record<string, number>;
  work?: number;
  minLossRows?: number;
}

/** A gradient that has arrived so far. `owned`: no other tensor shares it, so it may be added to in place. */
export interface Gradient {
  readonly tensor: Tensor;
  readonly owned: boolean;
}

interface TapeEntry {
  readonly outputs: readonly Tensor[];
  readonly isRoot: boolean;
  readonly segment: number;
  readonly scope: string;
  readonly vjp: () => void;
}

/** How a kernel adds to a parameter's gradient: `fresh` overwrites on the step's first micro-batch, `add` always adds. */
export type GradientMode = 'fresh' | 'add';

export class Recorder {
  readonly limits: GpuLimits;
  readonly dispatches: Dispatch[] = [];
  /** Tensors that must survive to the end of the step. */
  readonly outputs = new Set<Tensor>();
  readonly segmentNames: string[] = [];
  readonly #tape: TapeEntry[] = [];
  readonly #gradients = new Map<Tensor, Gradient>();
  readonly #touched = new Set<Tensor>();
  #substitutes: Map<Tensor, Tensor> | null = null;
  #segment = -1;
  #scope: string[] = [];
  #firstBackward = -1;

  constructor(limits: GpuLimits) {
    this.limits = limits;
  }

  /** Dispatches from this index on belong to the backward pass; the length when there is none. */
  get firstBackward(): number {
    return this.#firstBackward < 0 ? this.dispatches.length : this.#firstBackward;
  }

  tensor(name: string, shape: readonly number[]): Tensor {
    return arenaTensor([...this.#scope, name].join('.'), shape);
  }

  /** Names everything recorded in `body` after a module, for labels and the profiler. */
  scope<T>(name: string, body: () => T): T {
    this.#scope.push(name);
    try {
      return body();
    } finally {
      this.#scope.pop();
    }
  }

  /** A recompute segment: what `body` records may be recorded again in the backward pass instead of being kept. */
  segment<T>(name: string, body: () => T): T {
    invariant(this.#segment === -1, `segment ${name} inside segment ${this.segmentNames[this.#segment]}`);
    this.#segment = this.segmentNames.push(name) - 1;
    try {
      return this.scope(name, body);
    } finally {
      this.#segment = -1;
    }
  }

  output(tensor: Tensor): Tensor {
    this.outputs.add(tensor);
    return tensor;
  }

  /** Records one dispatch. Every binding of the kernel must be given, by its name in the WGSL. */
  run(kernel: Kernel, bindings: Record<string, Tensor | View>, params: Params, options: RunOptions = {}): void {
    const views = kernel.bindings.map(({ name }) => {
      const given = bindings[name];
      invariant(given, `kernel ${kernel.name}: binding ${name} is missing`);
      const view = 'tensor' in given ? given : whole(given);
      const tensor = this.#substitutes?.get(view.tensor) ?? view.tensor;
      this.#checkBinding(kernel, name, tensor, view);
      return { tensor, offset: view.offset, sizeBytes: view.sizeBytes };
    });
    const extra = Object.keys(bindings).filter((name) => !kernel.bindings.some((b) => b.name === name));
    invariant(extra.length === 0, `kernel ${kernel.name} has no binding ${extra.join()}`);
    const overrides = { ...kernel.overrides, ...options.overrides };
    const grid = kernel.grid(params, overrides);
    invariant(
      grid.every((n) => Number.isSafeInteger(n) && n > 0 && n <= this.limits.maxWorkgroupsPerDimension),
      `kernel ${kernel.name}: grid ${grid.join()}`,
    );
    this.dispatches.push({
      kernel,
      label: [...this.#scope, kernel.name].join('.'),
      bindings: views,
      params,
      overrides,
      grid,
      work: options.work ?? views.reduce((sum, view) => sum + view.sizeBytes / 4, 0),
      minLossRows: options.minLossRows ?? -1,
      segment: this.#firstBackward < 0 ? this.#segment : -1,
    });
  }

  #checkBinding(kernel: Kernel, name: string, tensor: Tensor, view: View): void {
    const { maxBindingBytes, offsetAlignment } = this.limits;
    if (view.sizeBytes > maxBindingBytes) {
      throw new AppError(
        'gpu/limit',
        `${tensor.name} needs a binding of ${view.sizeBytes} bytes in ${kernel.name}; this device binds at most ${maxBindingBytes}`,
        { tensor: tensor.name, found: view.sizeBytes, expected: maxBindingBytes },
      );
    }
    invariant((tensor.offset + view.offset) % offsetAlignment === 0, `kernel ${kernel.name}: ${name} starts off the alignment`);
    invariant(view.sizeBytes % 4 === 0, `kernel ${kernel.name}: ${name} has ${view.sizeBytes} bytes`);
  }

  /**
   * Row ranges of `rows` rows such that a range of each operand (bytes a row) fits a binding and starts on its alignment.
   * @throws AppError `gpu/limit` when not even the smallest aligned range fits.
   */
  rowBlocks(rows: number, ...rowBytes: number[]): [start: number, end: number][] {
    const { maxBindingBytes, offsetAlignment } = this.limits;
    const widest = Math.max(...rowBytes);
    if (rows * widest <= maxBindingBytes) return [[0, rows]];
    const step = rowBytes.reduce((multiple, bytes) => leastCommonMultiple(multiple, alignedRows(bytes, offsetAlignment)), 1);
    const size = Math.floor(maxBindingBytes / widest / step) * step;
    if (size === 0) {
      throw new AppError(
        'gpu/limit',
        `${step} rows of ${widest} bytes need one binding; this device binds at most ${maxBindingBytes} bytes`,
        {
          found: step * widest,
          expected: maxBindingBytes,
        },
      );
    }
    const blocks: [number, number][] = [];
    for (let start = 0; start < rows; start += size) blocks.push([start, Math.min(rows, start + size)]);
    return blocks;
  }

  /**
   * Says that `outputs` depend on `inputs`, and how gradients flow back. The closure runs in the backward pass, records the
   * gradient's dispatches and hands them on with `addGradient`. Dropped when no input needs a gradient.
   */
  differentiable(outputs: readonly Tensor[], inputs: readonly Tensor[], vjp: () => void): void {
    if (!inputs.some((input) => input.needsGrad)) return;
    for (const output of outputs) output.needsGrad = true;
    this.#tape.push({ outputs, isRoot: false, segment: this.#segment, scope: this.#scope.join('.'), vjp });
  }

  /** A loss: the backward pass starts here. */
  root(inputs: readonly Tensor[], vjp: () => void): void {
    if (!inputs.some((input) => input.needsGrad)) return;
    this.#tape.push({ outputs: [], isRoot: true, segment: this.#segment, scope: this.#scope.join('.'), vjp });
  }

  /** The gradient of a tensor as it stands; null when none has arrived. In a vjp, that of the output is complete. */
  gradientOf(tensor: Tensor): Tensor | null {
    return this.#gradients.get(tensor)?.tensor ?? null;
  }

  /** Adds to the gradient of an activation. `make` gets what has arrived before and returns the new whole. */
  addGradient(tensor: Tensor, make: (prior: Gradient | null) => Gradient): void {
    if (!tensor.needsGrad) return;
    invariant(tensor.gradient === null, `${tensor.name} is a parameter: its gradient accumulates in place`);
    this.#gradients.set(tensor, make(this.#gradients.get(tensor) ?? null));
  }

  /** Adds an already computed gradient: handed on as it is when it is the first, else summed. */
  contribute(tensor: Tensor, gradient: Gradient): void {
    this.addGradient(tensor, (prior) => {
      if (!prior) return gradient;
      if (prior.owned) {
        addInto(this, prior.tensor, gradient.tensor);
        return prior;
      }
      const total = this.tensor(`${tensor.name}.gradient`, tensor.shape);
      sum(this, total, prior.tensor, gradient.tensor);
      return { tensor: total, owned: true };
    });
  }

  /** Where a parameter's gradient goes, and whether this recording has written it before. */
  parameterGradient(parameter: Tensor): { tensor: Tensor; mode: GradientMode } {
    invariant(parameter.gradient, `${parameter.name} is not a parameter`);
    const mode = this.#touched.has(parameter) ? 'add' : 'fresh';
    this.#touched.add(parameter);
    return { tensor: parameter.gradient, mode };
  }

  /** Parameters whose gradient this recording writes. */
  get touchedParameters(): ReadonlySet<Tensor> {
    return this.#touched;
  }

  /** Records the backward pass of everything so far. Segments for which `recompute` is true are run again before their gradient. */
  backward(recompute: (segment: number) => boolean = () => false): void {
    invariant(this.#firstBackward < 0, 'backward was recorded already');
    const forward = [...this.dispatches];
    this.#firstBackward = forward.length;
    let current = -1;
    for (const entry of [...this.#tape].reverse()) {
      if (entry.segment !== current) {
        current = entry.segment;
        this.#substitutes = current >= 0 && recompute(current) ? this.#replaySegment(forward, current) : null;
      }
      if (!entry.isRoot && !entry.outputs.some((output) => this.#gradients.has(output))) continue;
      this.scope(entry.scope ? `${entry.scope}.backward` : 'backward', entry.vjp);
    }
    this.#substitutes = null;
  }

  #replaySegment(forward: readonly Dispatch[], segment: number): Map<Tensor, Tensor> {
    const substitutes = new Map<Tensor, Tensor>();
    for (const dispatch of forward) {
      if (dispatch.segment !== segment) continue;
      for (const [i, view] of dispatch.bindings.entries()) {
        const binding = dispatch.kernel.bindings[i];
        if (!binding || view.tensor.region || !dispatch.kernel.writes.has(binding.name) || substitutes.has(view.tensor)) continue;
        substitutes.set(view.tensor, arenaTensor(`${view.tensor.name}.again`, view.tensor.shape));
      }
      const bindings = dispatch.bindings.map((view) => ({ ...view, tensor: substitutes.get(view.tensor) ?? view.tensor }));
      this.dispatches.push({ ...dispatch, label: `${dispatch.label}.again`, bindings, segment: -1 });
    }
    return substitutes;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}

/** The least number of rows after which rows of `bytes` bytes are on the alignment again. */
function alignedRows(bytes: number, alignment: number): number {
  return alignment / greatestCommonDivisor(alignment, bytes);
}
