/** Answers held-out rows greedily by base and tuned model, many at a time, and counts the exact ones. */
import type { Gpu } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import type { LoraLayout } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import { type GeneratorPlan, planGenerator } from '#engine/train/generator-plan.ts';
import { Generator } from '#engine/train/generator.ts';
import type { Training } from '#engine/train/training.ts';
import { exactMatch } from '#metrics/exact-match.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

export interface HeldOut {
  row: number;
  promptText: string;
  prompt: Uint32Array;
  expected: string;
}

export interface Answered extends Omit<HeldOut, 'prompt'> {
  base: string;
  tuned: string;
  isBaseExact: boolean;
  isTunedExact: boolean;
}

/** An answer may be this much longer than the expected one before it is cut. */
const SPARE_TOKENS = 12;
const MAX_SLOTS = 64;
const PREFILL_TOKENS = 256;

export interface AnsweringPlan {
  readonly rows: readonly HeldOut[];
  readonly maxNewTokens: number;
  readonly base: GeneratorPlan;
  readonly tuned: GeneratorPlan;
}

export function planAnswering(gpu: Gpu, model: Model, layout: LoraLayout, rows: readonly HeldOut[], tokenizer: Tokenizer): AnsweringPlan {
  const longestAnswer = Math.max(...rows.map(({ expected }) => tokenizer.encode(expected, { addSpecialTokens: false }).length));
  const longestPrompt = Math.max(...rows.map(({ prompt }) => prompt.length));
  const maxNewTokens = longestAnswer + SPARE_TOKENS;
  const options = { slots: Math.min(MAX_SLOTS, rows.length), slotTokens: longestPrompt + maxNewTokens, prefillTokens: PREFILL_TOKENS };
  return { rows, maxNewTokens, base: planGenerator(gpu, model, null, options), tuned: planGenerator(gpu, model, layout, options) };
}

export class Answering {
  readonly plan: AnsweringPlan;
  readonly #tokenizer: Tokenizer;
  readonly #tuned: Generator;
  #base: string[];

  private constructor(plan: AnsweringPlan, tokenizer: Tokenizer, tuned: Generator, base: string[]) {
    this.plan = plan;
    this.#tokenizer = tokenizer;
    this.#tuned = tuned;
    this.#base = base;
  }

  /** Lets the base answer once, since it does not change, and gives its memory back. */
  static async create(
    gpu: Gpu,
    queue: SubmitQueue,
    plan: AnsweringPlan,
    tokenizer: Tokenizer,
    onProgress: (done: number) => void,
    signal: AbortSignal,
  ): Promise<Answering> {
    const generator = await Generator.create(gpu, queue, plan.base);
    let base: string[];
    try {
      base = await answer(generator, plan, tokenizer, onProgress, signal);
    } finally {
      generator.destroy();
    }
    return new Answering(plan, tokenizer, await Generator.create(gpu, queue, plan.tuned), base);
  }

  /** Answers with the adapter as it is now. */
  async answer(training: Training, onProgress: (done: number) => void, signal: AbortSignal): Promise<Answered[]> {
    await training.snapshotAdapter(this.#tuned.adapterBuffer as GPUBuffer);
    const tuned = await answer(this.#tuned, this.plan, this.#tokenizer, onProgress, signal);
    return this.#report(tuned);
  }

  /** Before the first step the adapter changes nothing: the base's answers are the tuned model's. */
  atStart(): Answered[] {
    return this.#report(this.#base);
  }

  destroy(): void {
    this.#tuned.destroy();
  }

  #report(tuned: readonly string[]): Answered[] {
    return this.plan.rows.map(({ row, promptText, expected }, i) => {
      const [b, t] = [this.#base[i], tuned[i]];
      return { row, promptText, expected, base: b, tuned: t, isBaseExact: exactMatch(b, expected), isTunedExact: exactMatch(t, expected) };
    });
  }
}

async function answer(
  generator: Generator,
  plan: AnsweringPlan,
  tokenizer: Tokenizer,
  onProgress: (done: number) => void,
  signal: AbortSignal,
): Promise<string[]> {
  const { rows, maxNewTokens } = plan;
  const texts: string[] = [];
  const { slots } = generator.plan.options;
  for (let start = 0; start < rows.length; start += slots) {
    const part = rows.slice(start, start + slots);
    const results = await generator.generate(
      part.map(({ prompt }) => ({ prompt, maxNewTokens, stopIds: tokenizer.eosIds })),
      signal,
    );
    texts.push(...results.map(({ tokens }) => tokenizer.decode(tokens, { skipSpecialTokens: true })));
    onProgress(texts.length);
  }
  return texts;
}
