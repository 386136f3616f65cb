/** What the page may ask of the trainer worker, and what it hears. Plain data, safe to clone; types flow from these maps. */
import type { WireError } from '#base/errors.ts';
import type { HubCard, HubModel, HubModelChoice, HubProgress, HubState, HubWait, PartialDownload } from '#protocol/hub.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { HeldOutRow, PackedRows, ValidationRows } from '#storage/run-rows.ts';
import type { StoredRun } from '#storage/runs.ts';
import type { DamagedFile } from '#storage/sealed-json.ts';
import type { StoragePart } from '#storage/usage.ts';

export type { DamagedFile } from '#storage/sealed-json.ts';
export type { StoragePart } from '#storage/usage.ts';
export type { HeldOutRow, PackedRows, ValidationRows as ValidationSet } from '#storage/run-rows.ts';

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
  /** Fingerprint of its files. */
  key: string;
  /** Names that `target_modules` may hold. */
  linearNames: string[];
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
  | { kind: 'paused'; step: number; steps: number; why: 'user' | 'not-finite' | 'not-saved' }
  | { kind: 'answering'; step: number; steps: number; done: number; total: number }
  | { kind: 'evaluating'; step: number; steps: number; done: number; total: number }
  /** The device was lost: a new one is taken, the model goes back to it, and the run goes on from its last checkpoint. */
  | { kind: 'recovering'; step: number; steps: number; why: string }
  /** `adapterStep`: whose adapter is asked and downloaded now; that of the best step where the recipe says so. */
  | { kind: 'done'; step: number; steps: number; endedBy: 'steps' | 'stopped' | 'early'; adapterStep: number }
  | { kind: 'failed'; step: number; error: WireError; remedies: Remedy[] };

/** A change of the recipe with which a run fits that ran out of memory. */
export interface Remedy {
  change: Partial<Recipe>;
  /** What the run would take with it, and what it takes without. */
  totalBytes: number;
  insteadOfBytes: number;
}

/** A measurement on the held-out rows. */
export interface EvaluationMetrics {
  step: number;
  epoch: number;
  /** transformers' eval_loss, in nats; perplexity is its exponential. */
  lossNats: number;
  /** TRL's eval_mean_token_accuracy: the mean over batches of the share of loss tokens that are predicted. */
  accuracy: number;
  tokens: number;
  rows: number;
  isBest: boolean;
}

/** A run that is kept on this device. */
export interface RunSummary extends Omit<StoredRun, 'version' | 'model' | 'data'> {
  modelName: string;
  /** Fingerprint of the model's files: a run goes on with these alone. */
  modelKey: string;
  dataName: string;
  rowCount: number;
  /** Steps of the checkpoints that are kept, ascending. */
  checkpoints: number[];
  sizeBytes: number;
}

/** What a kept run measured, in order. */
export interface RunHistory {
  steps: StepMetrics[];
  evaluations: EvaluationMetrics[];
  /** Measurements that were changed since they were written, and are left out. */
  damaged: DamagedFile | null;
}

/** What is kept on this device, by part. */
export interface StorageReport {
  parts: { part: StoragePart; sizeBytes: number; items: { name: string; title: string; sizeBytes: number }[] }[];
  usedBytes: number;
  /** Null where the browser does not say. */
  freeBytes: number | null;
  /** Whether the browser promised not to clear it by itself. */
  isPersistent: boolean | null;
}

/** A model that is kept on this device. */
export interface KeptModel {
  key: string;
  name: string;
  sizeBytes: number;
  /** The hub's repository and commit that it was fetched from. */
  source?: { endpoint: string; id: string; commit: string };
}

/** What a device was found to give. */
export interface BudgetProbe {
  budgetBytes: number;
  /** It gave all that it was asked for: it may have more. */
  reachedCap: boolean;
}

/** What is known of a device's memory, which WebGPU does not tell. */
export interface Budget {
  /** Null: it was never checked, and nobody said. */
  budgetBytes: number | null;
  setByUser: boolean;
  reachedCap: boolean;
  /** Whose it is: it is kept by adapter. */
  adapter: string;
}

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

export interface StartParams {
  recipe: Recipe;
  rows: PackedRows;
  validation: ValidationRows | null;
  heldOut: HeldOutRow[];
  /** The dataset's name, for the list of runs. */
  dataName: string;
}

export interface TrainerCalls {
  openDevice(): DeviceSummary;
  /** Replaces the model that is open. Progress comes as `progress` events; `cancelOpening` ends it. */
  openModel(params: { name: string; files: NamedFile[] }): ModelSummary;
  cancelOpening(): void;
  /** Bytes and steps of a recipe over rows of these lengths, with what answering the held-out rows takes; allocates nothing. */
  plan(params: { recipe: Recipe; rowLengths: Uint32Array; validationLengths?: Uint32Array; heldOut?: HeldOutRow[] }): PlanSummary;
  /** Answers when the run has begun; the rest comes as events. */
  start(params: StartParams): { runId: string; plan: PlanSummary };
  /**
   * Goes on with a kept run from its newest whole checkpoint, on the model that is open: `run/other-model` when it is another.
   * `maxSteps`: its new number of steps, for one that was finished.
   */
  resumeRun(params: { runId: string; maxSteps?: number }): {
    runId: string;
    plan: PlanSummary;
    fromStep: number;
    recipe: Recipe;
    heldOut: HeldOutRow[];
    damaged: DamagedFile[];
  };
  /** A kept run's adapter, to ask and to download, without training: that of its newest whole checkpoint. The model must be the run's. */
  openRun(params: { runId: string }): {
    runId: string;
    plan: PlanSummary;
    step: number;
    recipe: Recipe;
    heldOut: HeldOutRow[];
    damaged: DamagedFile[];
  };
  runs(): { runs: RunSummary[]; damaged: DamagedFile[] };
  /** What a kept run measured, as its charts show it. */
  history(params: { runId: string }): RunHistory;
  /** `recipe/invalid` for a name of nothing, or one that is too long. */
  renameRun(params: { runId: string; name: string; note: string }): void;
  removeRun(params: { runId: string }): void;
  storage(): StorageReport;
  /** Empties a part, or one item of it. What is in use stays: `run/busy`. */
  emptyStorage(params: { part: StoragePart; name?: string }): void;
  /** Copies the open model into this device's storage; progress comes as `progress` events, `cancelOpening` ends it. */
  keepModel(): KeptModel;
  keptModels(): { models: KeptModel[]; damaged: DamagedFile[] };
  /** Files of a kept model, after their hashes were checked: for `openModel` and `openTokenizer`. `storage/damaged` names the file that changed. */
  keptModelFiles(params: { key: string }): { name: string; files: NamedFile[] };
  hub(): HubState;
  /** What is left out stays; the token stays on this device, and goes with another endpoint. */
  setHub(params: { endpoint?: string; token?: string | null }): HubState;
  hubSearch(params: { text: string; limit?: number }): HubCard[];
  hubModel(params: HubModelChoice): HubModel;
  /** Fetches a model, or the rest of it, which is kept then; `hubProgress` events tell of it. `pauseHubDownload` ends it, what came stays. */
  hubDownload(params: HubModelChoice): KeptModel;
  pauseHubDownload(): void;
  /** Those that were not fetched to their end. `hubDownload` goes on, `emptyStorage` with the key drops one. */
  hubDownloads(): PartialDownload[];
  /** As `openModel`, with the bytes fetched as they are needed and nothing stored: where there is no space. */
  openHubModel(params: HubModelChoice): ModelSummary;
  /** Takes memory until the device refuses, at most `capBytes`, and gives it back; `progress` events tell of it, `cancelProbe` ends it. */
  probeBudget(params: { capBytes?: number }): BudgetProbe;
  cancelProbe(): void;
  budget(): Budget;
  /** Null: back to what was measured. */
  setBudget(params: { bytes: number | null }): void;
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
  evaluation: { runId: string; evaluation: EvaluationMetrics };
  /** A checkpoint is whole on this device. */
  saved: { runId: string; step: number; sizeBytes: number; ms: number };
  /** A checkpoint, or the run itself, could not be kept; the run pauses or goes on in memory, as its state says. */
  notSaved: { runId: string; step: number; error: WireError };
  /** The run goes on from an earlier step: what came after it is measured again. */
  wentBack: { runId: string; step: number };
  /** At most ten a second. */
  hubProgress: HubProgress;
  hubWait: HubWait;
  /** `isRecovering`: a new device is being taken, and the model goes back to it. */
  deviceLost: { reason: string; isRecovering: boolean };
  deviceBack: { adapterStep: number | null };
}
