/** Workers without an engine and without a tokenizer, for tests of the stores: they say what the tests make them say. */
import { AppError } from '#base/errors.ts';
import type { DataSettings, DatasetSummary, MappingGuess, PreparedData, Preview, TakenRows } from '#protocol/data.ts';
import type {
  Budget,
  GenerateParams,
  HeldOutRow,
  KeptModel,
  ModelSummary,
  NamedFile,
  PackedRows,
  PlanSummary,
  RunSummary,
  StartParams,
  StorageReport,
  TrainerEvents,
} from '#protocol/trainer.ts';
import type { Recipe } from '#recipe/recipe.ts';

const SUMMARY: ModelSummary = {
  name: '',
  key: 'key',
  architecture: 'llama',
  parameterCount: 1,
  layers: 1,
  hiddenSize: 1,
  vocabSize: 500,
  maxPositions: 64,
  weightTypes: { f32: 1 },
  weightBytes: 4,
  linearNames: ['q_proj'],
};
const PLAN: PlanSummary = { bytes: {}, totalBytes: 9, steps: 7, capacities: [64], trainableParameters: 1, dispatches: 1 };

export class FakeTrainer {
  readonly emit: <E extends keyof TrainerEvents>(event: E, data: TrainerEvents[E]) => void;
  readonly planned: { recipe: Recipe; rowLengths: Uint32Array }[] = [];
  readonly started: StartParams[] = [];
  /** What opening a model ends with, when it is to fail. */
  failure: AppError | null = null;

  constructor(emit: FakeTrainer['emit']) {
    this.emit = emit;
  }

  openDevice() {
    return { vendor: 'test', architecture: '', description: '', isSoftware: true, features: [], maxBindingBytes: 1, maxBufferBytes: 1 };
  }

  openModel({ name }: { name: string }): ModelSummary {
    if (this.failure !== null) throw this.failure;
    return { ...SUMMARY, name };
  }

  cancelOpening(): void {}

  plan(params: { recipe: Recipe; rowLengths: Uint32Array }): PlanSummary {
    this.planned.push(params);
    return PLAN;
  }

  start(params: StartParams): { runId: string; plan: PlanSummary } {
    this.started.push(params);
    return { runId: 'run-1', plan: PLAN };
  }

  /** What is kept, when tests say so. */
  kept: RunSummary[] = [];

  resumeRun({ runId }: { runId: string }) {
    const run = this.kept.find(({ id }) => id === runId);
    if (run === undefined) throw new AppError('storage/not-found', `no run ${runId}`);
    return { runId, plan: PLAN, fromStep: run.step, recipe: run.recipe, heldOut: [], damaged: [] };
  }

  runs() {
    return { runs: this.kept, damaged: [] };
  }

  history() {
    return { steps: [], evaluations: [], damaged: null };
  }

  removeRun({ runId }: { runId: string }): void {
    this.kept = this.kept.filter(({ id }) => id !== runId);
  }

  storage(): StorageReport {
    return { parts: [], usedBytes: 0, freeBytes: null, isPersistent: null };
  }

  emptyStorage(): void {}

  keepModel(): KeptModel {
    return { key: 'key', name: 'model', sizeBytes: 1 };
  }

  keptModels() {
    return { models: [], damaged: [] };
  }

  keptModelFiles({ key }: { key: string }): { name: string; files: NamedFile[] } {
    return { name: key, files: [] };
  }

  known: Budget = { budgetBytes: null, setByUser: false, reachedCap: false, adapter: 'test' };

  /** Ends with what is known by then, or with `failure`. */
  async probeBudget({ capBytes }: { capBytes?: number }) {
    this.emit('progress', { what: 'the device', done: 1, total: capBytes ?? 2, unit: 'bytes', perSecond: 1, secondsLeft: 1 });
    await this.probing;
    if (this.failure !== null) throw this.failure;
    this.known = { ...this.known, budgetBytes: 8, reachedCap: false };
    return { budgetBytes: 8, reachedCap: false };
  }

  /** What a check of the device waits for. */
  probing: Promise<void> | null = null;

  cancelProbe(): void {}

  budget(): Budget {
    return this.known;
  }

  setBudget({ bytes }: { bytes: number | null }): void {
    this.known = { ...this.known, budgetBytes: bytes, setByUser: bytes !== null };
  }

  pause(): void {}

  resume(): void {}

  stop(): void {}

  memory() {
    return { live: {}, plan: {}, liveBytes: 0, peakBytes: 0, planBytes: 0 };
  }

  generate({ side, id }: GenerateParams) {
    this.emit('token', { id, text: side });
    return { text: `${side} said`, tokens: 2, end: 'stop' as const, tokensPerSecond: 1 };
  }

  stopGenerating(): void {}

  exportAdapter() {
    return { files: [{ path: 'adapter_config.json', bytes: new Uint8Array([1]) }], step: 3 };
  }
}

function oneTokenRows(count: number): PackedRows {
  const offsets = Uint32Array.from({ length: count + 1 }, (_, i) => i);
  return { tokens: new Uint32Array(count), lossMask: new Uint8Array(count), offsets };
}

type Row = Record<string, unknown>;

/** Knows JSON lines and templates. A token is a word. */
export class FakeData {
  #rows: Row[] = [];
  #columns: string[] = [];
  #settings: DataSettings | null = null;

  openTokenizer() {
    return { vocabSize: 500, bosToken: '<s>', eosToken: '</s>', hasChatTemplate: false };
  }

  async openDataset({ path, file, heldOut }: NamedFile & { heldOut?: NamedFile }): Promise<DatasetSummary> {
    const lines = (await file.text()).split('\n').filter((line) => line !== '');
    if (lines.length === 0) throw new AppError('data/no-rows', `${path}: no rows were found`, { file: path });
    this.#rows = lines.map((line) => JSON.parse(line) as Row);
    this.#columns = Object.keys(this.#rows[0] ?? {});
    const template = this.#columns.map((column) => `{${column}}`).join('\n');
    const guess: MappingGuess = { mapping: { kind: 'template', template }, loss: 'answer' };
    const held = heldOut === undefined ? null : { name: heldOut.path, rowCount: 1 };
    return { name: path, columns: this.#columns, rowCount: this.#rows.length, heldOut: held, guess };
  }

  rows({ start, end }: { start: number; end: number }): Row[] {
    return this.#rows.slice(start, end);
  }

  preview({ row, settings }: { row: number; settings: DataSettings }): Preview {
    const text = this.#render(settings, row);
    return { row, text, tokens: [], fullLength: text.split(/\s/).length, isMerged: false, skipped: null };
  }

  prepare({ settings }: { settings: DataSettings }): PreparedData {
    this.#settings = settings;
    const rowLengths = Uint32Array.from(this.#rows, (_, row) => this.#render(settings, row).split(/\s/).length);
    const none = { count: 0, rows: [] };
    const numbers = { rowCount: this.#rows.length, trainRows: this.#rows.length, heldOutRows: 1, sequences: rowLengths.length };
    const lengths = { tokens: 0, lossTokens: 0, minTokens: 0, medianTokens: 0, maxTokens: 0 };
    const validation = { validationRows: 1, validationSequences: 1, validationTokens: 1, validationLossTokens: 1, validationSkipped: [] };
    const split = { isTooFewToJudge: true, nearDuplicateRows: none, duplicateGroups: 0, leakedRows: none, strata: null };
    const findings = { truncatedRows: none, mergedRows: none, skipped: [] };
    return {
      report: { ...numbers, ...lengths, ...findings, ...validation, ...split },
      rowLengths,
      validationLengths: new Uint32Array([1]),
    };
  }

  takeRows(): TakenRows {
    if (this.#settings === null) throw new AppError('data/no-rows', 'no rows have been made ready yet');
    return { train: oneTokenRows(this.#rows.length), validation: { ...oneTokenRows(1), rowCount: 1 } };
  }

  heldOut({ limit }: { limit: number }): HeldOutRow[] {
    return this.#rows
      .slice(0, limit)
      .map((row, i) => ({ row: i, promptText: JSON.stringify(row), prompt: new Uint32Array([1]), expected: 'x' }));
  }

  promptFields(): string[] {
    return this.#columns.slice(0, -1);
  }

  renderPrompt({ fields }: { fields: Record<string, string> }): { prompt: string } {
    return { prompt: `<s>${Object.values(fields).join(' ')}` };
  }

  #render({ mapping }: DataSettings, row: number): string {
    if (mapping.kind !== 'template') return '';
    return mapping.template.replaceAll(/\{(\w+)\}/g, (_, column: string, at: number) => {
      if (!this.#columns.includes(column)) throw new AppError('data/missing-column', `no column '${column}'`, { column, at });
      return String(this.#rows[row]?.[column]);
    });
  }
}
