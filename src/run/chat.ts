/** Free text generation by base and tuned model over the resident weights, also while a run trains. */
import { AppError } from '#base/errors.ts';
import { Random } from '#base/random.ts';
import type { Gpu } from '#engine/gpu/device.ts';
import type { SubmitQueue } from '#engine/gpu/submit-queue.ts';
import type { LoraLayout } from '#engine/methods/lora.ts';
import type { Model } from '#engine/models/model.ts';
import { planGenerator } from '#engine/train/generator-plan.ts';
import { Generator } from '#engine/train/generator.ts';
import { sampleToken } from '#engine/train/sample.ts';
import type { Training } from '#engine/train/training.ts';
import type { GenerateParams, Generated } from '#protocol/trainer.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Prompt and answer together, where the model has that many positions. */
const CONTEXT_TOKENS = 1024;
const PREFILL_TOKENS = 64;

export class Chat {
  readonly #gpu: Gpu;
  readonly #queue: SubmitQueue;
  readonly #model: Model;
  readonly #tokenizer: Tokenizer;
  #base: Promise<Generator> | null = null;
  #tuned: { layout: LoraLayout; generator: Promise<Generator> } | null = null;
  readonly #running = new Map<number, AbortController>();

  constructor(gpu: Gpu, queue: SubmitQueue, model: Model, tokenizer: Tokenizer) {
    this.#gpu = gpu;
    this.#queue = queue;
    this.#model = model;
    this.#tokenizer = tokenizer;
  }

  /** @param training whose adapter answers, as it is now; null: the base answers. */
  async generate(params: GenerateParams, training: Training | null, onText: (text: string) => void): Promise<Generated> {
    const prompt = this.#tokenizer.encode(params.prompt, { addSpecialTokens: false });
    const generator = await (training ? this.#tunedGenerator(training) : this.#baseGenerator());
    if (training && generator.adapterBuffer) await training.snapshotAdapter(generator.adapterBuffer);
    const abort = new AbortController();
    this.#running.set(params.id, abort);
    const random = new Random(params.seed);
    const isGreedy = params.temperature <= 0;
    const tokens: number[] = [];
    let sent = '';
    const startedAt = performance.now();
    const finish = (end: Generated['end']): Generated => {
      const seconds = (performance.now() - startedAt) / 1000;
      return { text: this.#text(tokens), tokens: tokens.length, end, tokensPerSecond: seconds > 0 ? tokens.length / seconds : 0 };
    };
    try {
      const [result] = await generator.generate(
        [
          {
            prompt,
            maxNewTokens: params.maxNewTokens,
            stopIds: this.#tokenizer.eosIds,
            ...(isGreedy
              ? {}
              : {
                  choose: (logits: Float32Array) =>
                    sampleToken(logits, { temperature: params.temperature, topK: params.topK, topP: params.topP }, random),
                }),
            onToken: (token) => {
              tokens.push(token);
              const text = this.#text(tokens);
              // A character of several tokens is sent when it is whole.
              if (text.endsWith('\ufffd') || !text.startsWith(sent)) return;
              if (text.length > sent.length) onText(text.slice(sent.length));
              sent = text;
            },
          },
        ],
        abort.signal,
      );
      return finish(result?.end ?? 'length');
    } catch (error) {
      if (error instanceof AppError && error.code === 'run/cancelled') return finish('cancelled');
      throw error;
    } finally {
      this.#running.delete(params.id);
    }
  }

  stop(id: number): void {
    this.#running.get(id)?.abort();
  }

  destroy(): void {
    for (const abort of this.#running.values()) abort.abort();
    void this.#base?.then((generator) => generator.destroy());
    void this.#tuned?.generator.then((generator) => generator.destroy());
    this.#base = null;
    this.#tuned = null;
  }

  #text(tokens: readonly number[]): string {
    return this.#tokenizer.decode(tokens, { skipSpecialTokens: true });
  }

  #options() {
    return { slots: 1, slotTokens: Math.min(CONTEXT_TOKENS, this.#model.config.maxPositions), prefillTokens: PREFILL_TOKENS };
  }

  #baseGenerator(): Promise<Generator> {
    this.#base ??= Generator.create(this.#gpu, this.#queue, planGenerator(this.#gpu, this.#model, null, this.#options()));
    return this.#base;
  }

  #tunedGenerator({ plan }: Training): Promise<Generator> {
    if (this.#tuned?.layout !== plan.layout) {
      void this.#tuned?.generator.then((generator) => generator.destroy());
      this.#tuned = {
        layout: plan.layout,
        generator: Generator.create(this.#gpu, this.#queue, planGenerator(this.#gpu, this.#model, plan.layout, this.#options())),
      };
    }
    return this.#tuned.generator;
  }
}
