/** What a session keeps of its runs and models beyond its own life, as the session sees it. Knows no store. */
import type {
  DamagedFile,
  EvaluationMetrics,
  HeldOutRow,
  KeptModel,
  NamedFile,
  PackedRows,
  RunHistory,
  RunState,
  RunSummary,
  StartParams,
  StepMetrics,
  StoragePart,
  StorageReport,
  ValidationSet,
} from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';
import type { KeptCheckpoints } from '#run/active-run.ts';
import type { ModelSource } from '#run/device-host.ts';

/** A line of a run's record: what it measured, in the order in which it was measured. */
export type RunRecord = { steps: StepMetrics[] } | { evaluation: EvaluationMetrics } | { wentBack: number };

/** One run that is kept. Writing goes on behind the caller, in order. */
export interface ArchivedRun {
  readonly id: string;
  /** Told once that what was measured could not be written down. */
  onError: (error: unknown) => void;
  readonly checkpoints: KeptCheckpoints;
  /** A kept run goes on: from `step`, with this recipe. */
  goOn(recipe: Recipe, steps: number, step: number): Promise<void>;
  append(record: RunRecord): void;
  setState(state: RunState): void;
  /** Resolves when all that was told is written, or could not be. */
  settled(): Promise<void>;
}

export interface RunRows {
  train: PackedRows;
  validation: ValidationSet | null;
  heldOut: HeldOutRow[];
}

export interface OpenedRun {
  summary: RunSummary;
  rows: RunRows;
  kept: ArchivedRun;
  latest: { step: number | null; files: Record<string, Uint8Array> | null };
  /** Checkpoints that were passed over. */
  damaged: DamagedFile[];
}

export interface Archive {
  create(params: StartParams & { modelName: string; modelKey: string; steps: number }): Promise<ArchivedRun>;
  list(): Promise<{ runs: RunSummary[]; damaged: DamagedFile[] }>;
  open(runId: string): Promise<OpenedRun>;
  history(runId: string): Promise<RunHistory>;
  /** @throws AppError `recipe/invalid` for a name of nothing, or one that is too long. */
  rename(runId: string, words: { name: string; note: string }): Promise<void>;
  remove(runId: string): Promise<void>;
  report(): Promise<StorageReport>;
  empty(part: StoragePart, name?: string): Promise<void>;
  keepModel(model: ModelSource, onProgress: (done: number, total: number) => void, signal: AbortSignal): Promise<KeptModel>;
  models(): Promise<{ models: KeptModel[]; damaged: DamagedFile[] }>;
  /** @throws AppError `storage/damaged` naming the file that is not as it was copied. */
  modelFiles(
    key: string,
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<{ name: string; files: NamedFile[] }>;
}
