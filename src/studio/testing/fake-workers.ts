/** Workers without an engine and without a tokenizer, for tests of the stores: they say what the tests make them say. */
import { AppError, toWire } from '#base/errors.ts';
import type { HubDatasetChoice, HubDatasetState, HubModel, HubModelChoice, HubState, PartialDownload } from '#protocol/hub.ts';
import type { DataSettings, DatasetSummary, DetectedMapping, PreparedData, Preview, TakenRows } from '#protocol/data.ts';
import type {
  Budget,
  DamagedFile,
  GenerateParams,
  HeldOutRow,
  KeptModel,
  ModelSummary,
  NamedFile,
  PackedRows,
  PlanSummary,
  Remedy,
  RunHistory,
  RunSummary,
  StartParams,
  StoragePart,
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

/** The fingerprint of a model in these tests: all of that name have the same files. */
export function keyOf(name: string): string {
  return `key of ${name}`;
}

export class FakeTrainer {
  readonly emit: <E extends keyof TrainerEvents>(event: E, data: TrainerEvents[E]) => void;
  readonly planned: { recipe: Recipe; rowLengths: Uint32Array }[] = [];
  readonly started: StartParams[] = [];
  /** What opening a model ends with, when it is to fail. */
  failure: AppError | null = null;
  /** What starting a run ends with, when it is to fail. */
  startFailure: { error: AppError; remedies: Remedy[] } | null = null;
  #openKey = '';

  constructor(emit: FakeTrainer['emit']) {
    this.emit = emit;
  }

  openDevice() {
    return { vendor: 'test', architecture: '', description: '', isSoftware: true, features: [], maxBindingBytes: 1, maxBufferBytes: 1 };
  }

  openModel({ name }: { name: string }): ModelSummary {
    if (this.failure !== null) throw this.failure;
    this.#openKey = keyOf(name);
    return { ...SUMMARY, name, key: keyOf(name) };
  }

  cancelOpening(): void {}

  plan(params: { recipe: Recipe; rowLengths: Uint32Array }): PlanSummary {
    this.planned.push(params);
    return PLAN;
  }

  start(params: StartParams): { runId: string; plan: PlanSummary } {
    if (this.startFailure !== null) {
      this.emit('state', { kind: 'failed', step: 0, error: toWire(this.startFailure.error), remedies: this.startFailure.remedies });
      throw this.startFailure.error;
    }
    this.started.push(params);
    return { runId: 'run-1', plan: PLAN };
  }

  /** What is kept, when tests say so. */
  kept: RunSummary[] = [];

  readonly resumed: { runId: string; maxSteps?: number }[] = [];
  /** Checkpoints that are passed over when a run goes on. */
  damagedCheckpoints: DamagedFile[] = [];

  resumeRun(params: { runId: string; maxSteps?: number }) {
    const run = this.kept.find(({ id }) => id === params.runId);
    if (run === undefined) throw new AppError('storage/not-found', `no run ${params.runId}`);
    if (run.modelKey !== this.#openKey) throw new AppError('run/other-model', `${run.modelName} was expected`);
    this.resumed.push(params);
    const fromStep = run.checkpoints.at(-1) ?? 0;
    return { runId: run.id, plan: PLAN, fromStep, recipe: run.recipe, heldOut: [], damaged: this.damagedCheckpoints };
  }

  openRun({ runId }: { runId: string }) {
    const { fromStep, ...run } = this.resumeRun({ runId });
    this.emit('state', { kind: 'done', step: fromStep, steps: PLAN.steps, endedBy: 'stopped', adapterStep: fromStep });
    return { ...run, step: fromStep };
  }

  runs() {
    return { runs: this.kept, damaged: [] };
  }

  /** What kept runs measured, by id. */
  histories: Record<string, Pick<RunHistory, 'steps' | 'evaluations'>> = {};

  history({ runId }: { runId: string }): RunHistory {
    return { ...(this.histories[runId] ?? { steps: [], evaluations: [] }), damaged: null };
  }

  renameRun({ runId, ...words }: { runId: string; name: string; note: string }): void {
    this.kept = this.kept.map((run) => (run.id === runId ? { ...run, ...words } : run));
  }

  removeRun({ runId }: { runId: string }): void {
    this.kept = this.kept.filter(({ id }) => id !== runId);
  }

  storage(): StorageReport {
    const items = this.models.map(({ key, name, sizeBytes }) => ({ name: key, title: name, sizeBytes }));
    const sizeBytes = items.reduce((sum, item) => sum + item.sizeBytes, 0);
    return { parts: [{ part: 'models', sizeBytes, items }], usedBytes: sizeBytes, freeBytes: 1000, isPersistent: false };
  }

  emptyStorage({ part, name }: { part: StoragePart; name?: string }): void {
    if (part === 'models') this.models = this.models.filter(({ key }) => name !== undefined && key !== name);
    if (part === 'runs') this.kept = [];
  }

  /** Models that are kept, when tests say so. */
  models: KeptModel[] = [];
  /** What the files of a kept model turn out to be, when they are no longer those that were kept. */
  keptFailure: AppError | null = null;

  keepModel(): KeptModel {
    const name = this.#openKey.slice(keyOf('').length);
    const kept = { key: this.#openKey, name, sizeBytes: 10 };
    this.emit('progress', { what: name, unit: 'bytes', done: 10, total: 10, perSecond: 1, secondsLeft: 0 });
    this.models = [...this.models, kept];
    return kept;
  }

  keptModels() {
    return { models: this.models, damaged: [] };
  }

  keptModelFiles({ key }: { key: string }): { name: string; files: NamedFile[] } {
    if (this.keptFailure !== null) throw this.keptFailure;
    return { name: this.models.find((model) => model.key === key)?.name ?? '', files: [] };
  }

  /** The hub as tests set it, and the models that it has. */
  hubState: HubState = { endpoint: 'https://huggingface.co', hasToken: false };
  hubModels: HubModel[] = [];

  hub(): HubState {
    return this.hubState;
  }

  setHub({ endpoint, token }: { endpoint?: string; token?: string | null }): HubState {
    this.hubState = {
      endpoint: endpoint ?? this.hubState.endpoint,
      hasToken: token === undefined ? this.hubState.hasToken : token !== null,
    };
    return this.hubState;
  }

  hubSearch({ text }: { text: string }): HubModel[] {
    return this.hubModels.filter(({ id }) => id.includes(text));
  }

  hubModel({ id }: HubModelChoice): HubModel {
    const found = this.hubModels.find((model) => model.id === id);
    if (!found) throw new AppError('hub/not-found', `${id}: there is no such model, or it is private`);
    return found;
  }

  hubDownload(choice: HubModelChoice): KeptModel {
    const { id, commit, endpoint } = this.hubModel(choice);
    if (this.failure !== null) throw this.failure;
    this.emit('hubProgress', { id, commit, done: 10, total: 10, perSecond: 1, secondsLeft: 0 });
    const kept = { key: keyOf(id), name: id, sizeBytes: 10, source: { endpoint, id, commit } };
    this.models = [...this.models, kept];
    return kept;
  }

  pauseHubDownload(): void {}

  /** Downloads that were not ended. */
  unfinished: PartialDownload[] = [];

  hubDownloads(): PartialDownload[] {
    return this.unfinished;
  }

  openHubModel({ id }: HubModelChoice): ModelSummary {
    return this.openModel({ name: id });
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
    const [prompt, answer] = [this.#columns[0] ?? '', this.#columns.at(-1) ?? ''];
    const recognised = { kind: 'two-columns' as const, prompt, answer };
    const mapping = { kind: 'template' as const, template };
    const guess: DetectedMapping = { mapping, loss: 'answer', recognised, needsConfirmation: null, asChat: null };
    const held = heldOut === undefined ? null : { name: heldOut.path, rowCount: 1 };
    return { name: path, columns: this.#columns, rowCount: this.#rows.length, heldOut: held, format: 'jsonl', guess };
  }

  openHubTokenizer() {
    return this.openTokenizer();
  }

  /** Has the rows of the file that tests set. */
  hubRows = new Blob();

  async openHubDataset({ id, subset = 'default', split = 'train' }: HubDatasetChoice): Promise<DatasetSummary & { hub: HubDatasetState }> {
    const hub = { id, commit: 'c', subset, split, subsets: [{ name: subset, splits: [split] }], isPartial: false };
    return { ...(await this.openDataset({ path: id, file: this.hubRows })), hub };
  }

  cancelHubDataset(): void {}

  rows({ start, end }: { start: number; end: number }): Row[] {
    return this.#rows.slice(start, end);
  }

  preview({ row, settings }: { row: number; settings: DataSettings }): Preview {
    const text = this.#render(settings, row);
    return { row, text, tokens: [], added: [], parts: 1, part: 0, fullLength: text.split(/\s/).length, isMerged: false, skipped: null };
  }

  prepare({ settings }: { settings: DataSettings }): PreparedData {
    this.#settings = settings;
    const rowLengths = Uint32Array.from(this.#rows, (_, row) => this.#render(settings, row).split(/\s/).length);
    const none = { count: 0, rows: [] };
    const numbers = { rowCount: this.#rows.length, trainRows: this.#rows.length, heldOutRows: 1, sequences: rowLengths.length };
    const counts = { tokens: 0, lossTokens: 0, minTokens: 0, medianTokens: 0, maxTokens: 0, p95Tokens: 0 };
    const lengths = { ...counts, lengths: { binTokens: 8, counts: [] }, longestRow: null, labels: [], findings: [] };
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
