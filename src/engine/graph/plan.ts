/** Drops dead dispatches and gives every arena tensor an offset. Exact, and done before a byte is allocated. */
import { invariant } from '#base/errors.ts';
import type { GpuLimits } from '#engine/gpu/device.ts';
import type { Dispatch, Recorder } from '#engine/graph/recorder.ts';
import type { Tensor } from '#engine/graph/tensor.ts';

export interface Placement {
  readonly arena: number;
  /** Bytes from the arena's start, a multiple of the device's offset alignment. */
  readonly offset: number;
}

export interface Plan {
  readonly dispatches: readonly Dispatch[];
  readonly placements: ReadonlyMap<Tensor, Placement>;
  /** Bytes of each arena. */
  readonly arenas: readonly number[];
  readonly guardBytes: number;
}

export interface PlanOptions {
  /** Bytes left free behind each tensor and bound with it, and no memory shared: a test looks there for accesses past the end. */
  guardBytes?: number;
}

interface Interval {
  tensor: Tensor;
  first: number;
  last: number;
  sizeBytes: number;
}

function isWrite(dispatch: Dispatch, index: number): boolean {
  const binding = dispatch.kernel.bindings[index];
  return binding !== undefined && dispatch.kernel.writes.has(binding.name);
}

/** Dispatches whose result reaches a region or an output; the order stays. */
export function liveDispatches(dispatches: readonly Dispatch[], outputs: ReadonlySet<Tensor>): Dispatch[] {
  const wanted = new Set(outputs);
  const live: Dispatch[] = [];
  for (const dispatch of [...dispatches].reverse()) {
    const isLive = dispatch.bindings.some((view, i) => isWrite(dispatch, i) && (view.tensor.region !== null || wanted.has(view.tensor)));
    if (!isLive) continue;
    for (const view of dispatch.bindings) wanted.add(view.tensor);
    live.push(dispatch);
  }
  return live.reverse();
}

function intervals(dispatches: readonly Dispatch[], outputs: ReadonlySet<Tensor>): Interval[] {
  const found = new Map<Tensor, Interval>();
  for (const [at, dispatch] of dispatches.entries()) {
    for (const [i, { tensor }] of dispatch.bindings.entries()) {
      if (tensor.region) continue;
      const known = found.get(tensor);
      if (known) {
        known.last = at;
      } else {
        invariant(isWrite(dispatch, i), `${dispatch.label} reads ${tensor.name} before anything has written it`);
        found.set(tensor, { tensor, first: at, last: at, sizeBytes: tensor.sizeBytes });
      }
    }
  }
  for (const output of outputs) {
    const known = found.get(output);
    if (known) known.last = dispatches.length;
  }
  return [...found.values()];
}

/**
 * Places the largest tensors first, each at the lowest offset where no tensor alive at the same time lies
 * (greedy by size, https://arxiv.org/abs/2001.03288). A tensor that fits no arena of the device's buffer size opens a new one.
 */
export function planArena(recorder: Recorder, limits: GpuLimits, options: PlanOptions = {}): Plan {
  const dispatches = liveDispatches(recorder.dispatches, recorder.outputs);
  const guard = options.guardBytes ?? 0;
  const waiting = intervals(dispatches, recorder.outputs).sort((a, b) => b.sizeBytes - a.sizeBytes || a.first - b.first);
  const placed: { interval: Interval; arena: number; offset: number; end: number }[] = [];
  const arenas: number[] = [];
  const align = (offset: number) => Math.ceil(offset / limits.offsetAlignment) * limits.offsetAlignment;
  for (const interval of waiting) {
    const size = align(interval.sizeBytes + guard);
    const shares = (other: Interval) => guard > 0 || (other.first <= interval.last && interval.first <= other.last);
    let arena = 0;
    let offset = 0;
    for (; ; arena++) {
      const taken = placed.filter((p) => p.arena === arena && shares(p.interval)).sort((a, b) => a.offset - b.offset);
      offset = 0;
      for (const other of taken) {
        if (offset + size <= other.offset) break;
        offset = Math.max(offset, other.end);
      }
      if (offset + size <= limits.maxBufferBytes) break;
      invariant(taken.length > 0, `${interval.tensor.name} is larger than a buffer of this device`);
    }
    placed.push({ interval, arena, offset, end: offset + size });
    arenas[arena] = Math.max(arenas[arena] ?? 0, offset + size);
  }
  const placements = new Map(placed.map((p) => [p.interval.tensor, { arena: p.arena, offset: p.offset }]));
  return { dispatches, placements, arenas, guardBytes: guard };
}
