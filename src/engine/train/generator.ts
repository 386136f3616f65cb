/** Greedy and sampled generation with a KV cache, over the weights that training uses: many sequences at a time. */
import { AppError, invariant } from '#base/errors.ts';
import { type Gpu, MAP_READ, type OwnedBuffer, USAGE } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import { Arena, Program } from '#engine/graph/program.ts';
import { whole } from '#engine/graph/tensor.ts';
import { type GeneratorPlan, PassBatch } from '#engine/train/generator-plan.ts';

export interface GenerationRequest {
  prompt: Uint32Array;
  maxNewTokens: number;
  /** Generation ends with one of these; it is not part of the answer. */
  stopIds: readonly number[];
  /** Chooses a token from logits [vocab]; without it the highest logit is taken on the device. */
  choose?: (logits: Float32Array, tokens: readonly number[]) => number;
  onToken?: (token: number) => void;
}

export interface GenerationResult {
  tokens: number[];
  /** `stop`: a stop token came; `length`: the limit was reached. */
  end: 'stop' | 'length';
}

interface Sequence {
  readonly request: GenerationRequest;
  readonly slot: number;
  readonly tokens: number[];
  /** Tokens that are in the cache. */
  cached: number;
  /** The newest token, not in the cache yet. */
  next: number;
}

export class Generator {
  readonly plan: GeneratorPlan;
  readonly #gpu: Gpu;
  readonly #queue: SubmitQueue;
  readonly #owned: OwnedBuffer[];
  readonly #arena: Arena;
  readonly #programs: { prefill: Program; decode: Program };
  readonly #staging: GPUBuffer;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    gpu: Gpu,
    queue: SubmitQueue,
    plan: GeneratorPlan,
    parts: { owned: OwnedBuffer[]; arena: Arena; programs: { prefill: Program; decode: Program }; staging: GPUBuffer },
  ) {
    this.#gpu = gpu;
    this.#queue = queue;
    this.plan = plan;
    this.#owned = parts.owned;
    this.#arena = parts.arena;
    this.#programs = parts.programs;
    this.#staging = parts.staging;
  }

  /** @throws AppError `gpu/out-of-memory`; what was allocated is given back. */
  static async create(gpu: Gpu, queue: SubmitQueue, plan: GeneratorPlan): Promise<Generator> {
    const owned: OwnedBuffer[] = [];
    const { passes } = plan;
    const arena = new Arena(gpu, [passes.prefill.plan, passes.decode.plan], 'generation');
    try {
      return await gpu.checked('generation', async () => {
        const places = [
          plan.ropeTable,
          passes.prefill.place,
          passes.decode.place,
          ...plan.cache,
          ...(plan.adapter ? [plan.adapter.region] : []),
        ];
        for (const place of places) {
          const buffer = gpu.createBuffer(place.purpose, place.name, place.sizeBytes, USAGE.storage | USAGE.copyDst);
          place.buffer = buffer.buffer;
          owned.push(buffer);
        }
        gpu.device.queue.writeBuffer(plan.ropeTable.buffer as GPUBuffer, 0, plan.ropeValues as Float32Array<ArrayBuffer>);
        const staging = gpu.createBuffer('readback', 'logits', passes.decode.logits.sizeBytes, USAGE.mapRead | USAGE.copyDst);
        owned.push(staging);
        const programs = {
          prefill: await Program.compile(gpu, passes.prefill.plan, arena, 'prefill'),
          decode: await Program.compile(gpu, passes.decode.plan, arena, 'decode'),
        };
        return new Generator(gpu, queue, plan, { owned, arena, programs, staging: staging.buffer });
      });
    } catch (error) {
      for (const buffer of owned) buffer.destroy();
      arena.destroy();
      throw error;
    }
  }

  /** The buffer that tuned answers read the adapter from; null for the base. */
  get adapterBuffer(): GPUBuffer | null {
    return this.plan.adapter?.region.buffer ?? null;
  }

  /** Generates for every request, as many at a time as there are slots. Calls wait for one another. */
  async generate(requests: readonly GenerationRequest[], signal?: AbortSignal): Promise<GenerationResult[]> {
    const turn = this.#turn.then(() => this.#generate(requests, signal));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  destroy(): void {
    this.#programs.prefill.destroy();
    this.#programs.decode.destroy();
    this.#arena.destroy();
    for (const buffer of this.#owned) buffer.destroy();
  }

  async #generate(requests: readonly GenerationRequest[], signal?: AbortSignal): Promise<GenerationResult[]> {
    const { slots, slotTokens } = this.plan.options;
    for (const { prompt } of requests) {
      if (prompt.length === 0) throw new AppError('data/invalid', 'a prompt has no tokens');
      if (prompt.length >= slotTokens) {
        throw new AppError('data/invalid', `a prompt has ${prompt.length} tokens, at most ${slotTokens - 1} fit`, {
          found: prompt.length,
          expected: slotTokens - 1,
        });
      }
    }
    const results: GenerationResult[] = requests.map(() => ({ tokens: [], end: 'length' }));
    const waiting = requests.map((request, index) => ({ request, index })).reverse();
    const free = Array.from({ length: slots }, (_, slot) => slots - 1 - slot);
    const active = new Map<number, Sequence>();
    while (waiting.length > 0 || active.size > 0) {
      if (signal?.aborted) throw new AppError('run/cancelled', 'generation was cancelled');
      const started: { index: number; sequence: Sequence }[] = [];
      while (waiting.length > 0 && free.length > 0) {
        const { request, index } = waiting.pop() as { request: GenerationRequest; index: number };
        started.push({ index, sequence: { request, slot: free.pop() as number, tokens: [], cached: 0, next: -1 } });
      }
      if (started.length > 0) await this.#prefill(started.map(({ sequence }) => sequence));
      for (const { index, sequence } of started) active.set(index, sequence);
      const finished = [...active].filter(([index, sequence]) => this.#isFinished(sequence, results[index]));
      for (const [index, sequence] of finished) {
        active.delete(index);
        free.push(sequence.slot);
      }
      if (active.size > 0) await this.#decode([...active.values()]);
    }
    return results;
  }

  /** Takes the newest token into the answer; true when the answer ends with it or before it. */
  #isFinished(sequence: Sequence, result: GenerationResult): boolean {
    const { request, tokens, next } = sequence;
    if (request.stopIds.includes(next)) {
      result.tokens = tokens;
      result.end = 'stop';
      return true;
    }
    if (request.maxNewTokens > 0) {
      tokens.push(next);
      request.onToken?.(next);
    }
    result.tokens = tokens;
    return tokens.length >= request.maxNewTokens || request.prompt.length + tokens.length >= this.plan.options.slotTokens;
  }

  /** Reads the prompts in passes of at most `prefillTokens` tokens; a prompt may span several. */
  async #prefill(sequences: readonly Sequence[]): Promise<void> {
    const { prefillTokens, slots } = this.plan.options;
    const pending = [...sequences];
    while (pending.length > 0) {
      const pass = new PassBatch(this.plan.passes.prefill, slots);
      const done: Sequence[] = [];
      while (pending.length > 0 && pass.size < prefillTokens && done.length < slots) {
        const sequence = pending[0];
        const count = Math.min(prefillTokens - pass.size, sequence.request.prompt.length - sequence.cached);
        for (let i = 0; i < count; i++) this.#push(pass, sequence, sequence.request.prompt[sequence.cached]);
        if (sequence.cached < sequence.request.prompt.length) break;
        pass.markLast(done.length);
        done.push(sequence);
        pending.shift();
      }
      await this.#run('prefill', pass, done);
    }
  }

  async #decode(sequences: readonly Sequence[]): Promise<void> {
    const pass = new PassBatch(this.plan.passes.decode, this.plan.options.slots);
    for (const [row, sequence] of sequences.entries()) {
      this.#push(pass, sequence, sequence.next);
      pass.markLast(row);
    }
    await this.#run('decode', pass, sequences);
  }

  #push(pass: PassBatch, sequence: Sequence, token: number): void {
    invariant(token >= 0 && token < this.plan.model.config.vocabSize, `token ${token} is not in the vocabulary`);
    const first = sequence.slot * this.plan.options.slotTokens;
    pass.push(token, sequence.cached, first, first + sequence.cached);
    sequence.cached++;
  }

  /** Runs a pass; the i-th sequence's next token comes from row i of its logits. */
  async #run(name: 'prefill' | 'decode', batch: PassBatch, sequences: readonly Sequence[]): Promise<void> {
    const pass = this.plan.passes[name];
    const program = this.#programs[name];
    this.#gpu.device.queue.writeBuffer(pass.place.buffer as GPUBuffer, 0, batch.bytes);
    const needsLogits = sequences.some(({ request }) => request.choose);
    const source = program.locate(whole(needsLogits ? pass.logits : pass.best));
    await this.#queue.replay(program, 0, (encoder) =>
      encoder.copyBufferToBuffer(source.buffer, source.offset, this.#staging, 0, source.size),
    );
    if (sequences.length === 0) return;
    await this.#staging.mapAsync(MAP_READ, 0, source.size);
    const bytes = this.#staging.getMappedRange(0, source.size).slice(0);
    this.#staging.unmap();
    const { vocabSize } = this.plan.model.config;
    const stride = pass.logits.shape[1];
    for (const [row, sequence] of sequences.entries()) {
      if (!needsLogits) {
        sequence.next = new Uint32Array(bytes)[row];
        continue;
      }
      const logits = new Float32Array(bytes, row * stride * 4, vocabSize);
      const { request, tokens } = sequence;
      sequence.next = request.choose ? request.choose(logits, [...request.prompt, ...tokens]) : highest(logits);
    }
  }
}

function highest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
