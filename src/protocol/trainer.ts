/** What the page may ask of the trainer worker, and what it hears. Plain data, safe to clone; types flow from these maps. */
import type { WireError } from '#base/errors.ts';
import type { Recipe } from '#recipe/recipe.ts';

/** Bytes by purpose: weights, adapter, gradients, optimizer, activations, kv-cache, batch, uniforms, scratch, readback. */
export type Bytes = Record<string, number>;

export interface DeviceSummary {
  vendor: string;
  architecture: string;
  description: string;
  /** Computes on the CPU: never to be called a GPU. */
  isSoftware: boolean;
  features: string[];
  maxBindingBytes: number;
  maxBufferBytes: number;
}

/** A file with its path inside the dropped folder. */
export interface NamedFile {
  path: string;
  file: Blob;
}

export interface ModelSummary {
  /** The folder's or file's name. */
  name: string;
  architecture: string;
  parameterCount: number;
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  maxPositions: number;
  /** Weight types with how many matrices have each, as `q4_1`: 211. */
  weightTypes: Record<string, number>;
  weightBytes: number;
  /** Names that `target_modules` may hold. */
  linearNames: string[];
}

/** Sequences one after another: row i is tokens[offsets[i]] up to tokens[offsets[i + 1]]. */
export interface PackedRows {
  tokens: Uint32Array;
  lossMask: Uint8Array;
  offsets: Uint32Array;
}

/** A row that is answered greedily before, during and after training. */
export interface HeldOutRow {
  /** Index in the dataset. */
  row: number;
  promptText: string;
  prompt: Uint32Array;
  expected: string;
}

export interface PlanSummary {
  bytes: Bytes;
  totalBytes: number;
  steps: number;
  /** Tokens of a micro-batch, ascending. */
  capacities: number[];
  trainableParameters: number;
  dispatches: number;
}

export interface StepMetrics {
  /** From 1: steps done. */
  step: number;
  epoch: number;
  /** Mean over the step's loss tokens, in nats. */
  lossNats: number;
  gradientNorm: number;
  learningRate: number;
  lossTokens: number;
  realTokens: number;
  tokensPerSecond: number;
  stepMs: number;
}

export type RunState =
  | { kind: 'idle' }
  | { kind: 'preparing'; what: string }
  | { kind: 'training'; step: number; steps: number; secondsLeft: number | null }
  | { kind: 'paused'; step: number; steps: number; why: 'user' | 'not-finite' }
  | { kind: 'answering'; step: number; steps: number; done: number; total: number }
  | { kind: 'done'; step: number; steps: number; wasStopped: boolean }
  | { kind: 'failed'; step: number; error: WireError };

export interface Answer {
  row: number;
  promptText: string;
  expected: string;
  base: string;
  tuned: string;
  isBaseExact: boolean;
  isTunedExact: boolean;
}

/** The held-out rows answered at one moment of a run. */
export interface AnswerReport {
  step: number;
  total: number;
  baseExact: number;
  tunedExact: number;
  answers: Answer[];
}

export interface MemoryReport {
  live: Bytes;
  plan: Bytes;
  liveBytes: number;
  peakBytes: number;
  planBytes: number;
}

export interface GenerateParams {
  side: 'base' | 'tuned';
  /** Text as the model sees it, special tokens included. */
  prompt: string;
  maxNewTokens: number;
  /** 0: greedy. */
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
  /** Chosen by the page; events carry it, and `stopGenerating` takes it. */
  id: number;
}

export interface Generated {
  text: string;
  tokens: number;
  end: 'stop' | 'length' | 'cancelled';
  tokensPerSecond: number;
}

export interface NamedBytes {
  path: string;
  bytes: Uint8Array;
}

export interface TrainerCalls {
  openDevice(): DeviceSummary;
  /** Replaces the model that is open. Progress comes as `progress` events; `cancelOpening` ends it. */
  openModel(params: { name: string; files: NamedFile[] }): ModelSummary;
  cancelOpening(): void;
  /** Bytes and steps of a recipe over rows of these lengths, with what answering the held-out rows takes; allocates nothing. */
  plan(params: { recipe: Recipe; rowLengths: Uint32Array; heldOut?: HeldOutRow[] }): PlanSummary;
  /** Answers when the run has begun; the rest comes as events. */
  start(params: { recipe: Recipe; rows: PackedRows; heldOut: HeldOutRow[] }): { runId: string; plan: PlanSummary };
  /** After the step that runs now. */
  pause(): void;
  resume(): void;
  /** Ends the run after the step that runs now; the adapter stays. */
  stop(): void;
  memory(): MemoryReport;
  generate(params: GenerateParams): Generated;
  stopGenerating(params: { id: number }): void;
  /** PEFT's two files of the adapter as it is now. */
  exportAdapter(): { files: NamedBytes[]; step: number };
}

export interface TrainerEvents {
  state: RunState;
  /** At most ten posts a second. */
  metrics: { runId: string; steps: StepMetrics[] };
  memory: MemoryReport;
  progress: { what: string; done: number; total: number; unit: 'bytes' | 'rows' | 'tokens'; perSecond: number; secondsLeft: number | null };
  answers: AnswerReport;
  token: { id: number; text: string };
  deviceLost: { reason: string };
}
