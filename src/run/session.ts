/** What the trainer worker does for the page: one device, one open model, one run, and answers by base and tuned. No postMessage here. */
import { blobSource, type ByteSource } from '#base/bytes.ts';
import { AppError, toWire } from '#base/errors.ts';
import type {
  Budget,
  BudgetProbe,
  DamagedFile,
  DeviceSummary,
  GenerateParams,
  Generated,
  KeptModel,
  MemoryReport,
  ModelSummary,
  NamedBytes,
  NamedFile,
  PlanSummary,
  RunHistory,
  RunState,
  RunSummary,
  StartParams,
  StoragePart,
  StorageReport,
  TrainerCalls,
} from '#protocol/trainer.ts';
import { ActiveRun, type RunEvents, type RunParts } from '#run/active-run.ts';
import { adapterFiles } from '#run/adapter-files.ts';
import { type AnsweringPlan, planAnswering } from '#run/answering.ts';
import type { Archive, ArchivedRun, OpenedRun } from '#run/archive.ts';
import { Budgets } from '#run/budget.ts';
import { Chat } from '#run/chat.ts';
import { DeviceHost } from '#run/device-host.ts';
import { planRun } from '#run/lora-run.ts';
import { RateMeter } from '#run/metrics.ts';
import { findRemedies } from '#run/remedies.ts';
import { type Emit, runEvents } from '#run/run-events.ts';
import { partsOf, summaryOf, summaryOfPlan } from '#run/summaries.ts';

export class Session {
  readonly #emit: Emit;
  readonly #host: DeviceHost;
  readonly #archive: Archive | null;
  readonly #budgets: Budgets;
  #active: { run: ActiveRun; kept: ArchivedRun | null } | null = null;
  #chat: Chat | null = null;
  #opening: AbortController | null = null;
  #reopening: Promise<unknown> = Promise.resolve();
  #plannedBytes: MemoryReport['plan'] = {};
  #nextRun = 1;

  /** `archive`: where runs and models are kept; null: nothing outlives the session. */
  constructor(entry: GPU | undefined, emit: Emit, archive: Archive | null = null, budgets = new Budgets(null)) {
    this.#emit = emit;
    this.#host = new DeviceHost(entry, (reason) => this.#onLost(reason));
    this.#archive = archive;
    this.#budgets = budgets;
  }

  async openDevice(): Promise<DeviceSummary> {
    const { adapter, limits } = await this.#host.device();
    return { ...adapter, maxBindingBytes: limits.maxBindingBytes, maxBufferBytes: limits.maxBufferBytes };
  }

  /** The model that was open stays when the new one cannot be read; it goes once the new one's files have been checked. */
  async openModel(params: { name: string; files: NamedFile[] }): Promise<ModelSummary> {
    return this.openSources(params.name, new Map(params.files.map(({ path, file }) => [path, blobSource(path, file)])));
  }

  async openSources(name: string, files: ReadonlyMap<string, ByteSource>): Promise<ModelSummary> {
    this.#refuseWhileBusy('another model is opened');
    return this.#longJob(name, async (onProgress, signal) => {
      const beforeReplacing = () => {
        this.#closeRun();
        this.#forgetChat();
      };
      const open = await this.#host.openModel(name, files, {
        beforeReplacing,
        onProgress: ({ doneBytes, totalBytes: total }) => onProgress(doneBytes, total),
        signal,
      });
      this.#state({ kind: 'idle' });
      return summaryOf(open);
    });
  }

  cancelOpening(): void {
    this.#opening?.abort();
  }

  async plan(params: ParamsOf<'plan'>): Promise<PlanSummary> {
    const gpu = await this.#host.device();
    const { model, tokenizer } = this.#host.model();
    const runPlan = planRun(model, params.recipe, params.rowLengths, gpu, { validationLengths: params.validationLengths });
    const { heldOut = [] } = params;
    return summaryOfPlan(runPlan, heldOut.length > 0 ? planAnswering(gpu, model, runPlan.layout, heldOut, tokenizer) : null);
  }

  /** Plans and allocates; then the run goes on by itself and speaks through events. */
  async start(params: StartParams): Promise<{ runId: string; plan: PlanSummary }> {
    this.#refuseWhileBusy('a run is started');
    const open = this.#host.model();
    const { recipe, validation, heldOut } = params;
    const parts = partsOf(`run-${this.#nextRun++}`, recipe, { train: params.rows, validation, heldOut });
    this.#closeRun();
    const plan = await this.#begin(parts, null, async (run) => {
      if (!this.#archive || recipe.save_strategy === 'no') return null;
      try {
        const steps = run.plan.steps.totalSteps;
        return await this.#archive.create({ ...params, modelName: open.name, modelKey: open.key, steps });
      } catch (error) {
        this.#emit('notSaved', { runId: parts.id, step: 0, error: toWire(error) });
        return null;
      }
    });
    return { runId: this.#active?.kept?.id ?? parts.id, plan };
  }

  async resumeRun({ runId, maxSteps }: ParamsOf<'resumeRun'>): Promise<ReturnType<TrainerCalls['resumeRun']>> {
    const { opened, parts } = await this.#openKept(runId, 'another run goes on');
    const { summary, rows, kept, latest, damaged } = opened;
    const recipe = maxSteps === undefined ? summary.recipe : { ...summary.recipe, max_steps: maxSteps };
    this.#closeRun();
    const plan = await this.#begin({ ...parts, recipe }, latest.files, async (run) => {
      await kept.goOn(recipe, run.plan.steps.totalSteps, run.step);
      return kept;
    });
    return { runId, plan, fromStep: latest.step ?? 0, recipe, heldOut: rows.heldOut, damaged };
  }

  async openRun({ runId }: ParamsOf<'openRun'>): Promise<ReturnType<TrainerCalls['openRun']>> {
    const { opened, parts } = await this.#openKept(runId, 'a kept run is opened');
    const { summary, rows, kept, latest, damaged } = opened;
    if (latest.step === null) throw new AppError('run/no-adapter', `no whole checkpoint of the run ${summary.name} is kept`);
    this.#closeRun();
    const run = new ActiveRun(this.#host, parts, this.#eventsOf(runId));
    run.keepIn(kept.checkpoints);
    try {
      await run.restore();
    } catch (error) {
      run.destroy();
      throw error;
    }
    this.#active = { run, kept };
    const { plan, step, adapterStep } = run;
    this.#plannedBytes = plan.training.bytes;
    const endedBy = step === plan.steps.totalSteps ? 'steps' : 'stopped';
    this.#state({ kind: 'done', step, steps: plan.steps.totalSteps, endedBy, adapterStep });
    return { runId, plan: summaryOfPlan(plan, null), step, recipe: summary.recipe, heldOut: rows.heldOut, damaged };
  }

  async runs(): Promise<{ runs: RunSummary[]; damaged: DamagedFile[] }> {
    await this.#active?.kept?.settled();
    return this.#archive ? this.#archive.list() : { runs: [], damaged: [] };
  }

  async history({ runId }: { runId: string }): Promise<RunHistory> {
    await this.#active?.kept?.settled();
    return this.#requireArchive().history(runId);
  }

  async renameRun({ runId, ...words }: ParamsOf<'renameRun'>): Promise<void> {
    await this.#requireArchive().rename(runId, words);
  }

  async removeRun({ runId }: { runId: string }): Promise<void> {
    if (this.#active?.kept?.id === runId) {
      if (this.#active.run.isBusy) throw new AppError('run/busy', 'the run goes on; stop it before it is deleted');
      this.#active.kept = null;
    }
    await this.#requireArchive().remove(runId);
  }

  async storage(): Promise<StorageReport> {
    return this.#requireArchive().report();
  }

  async emptyStorage({ part, name }: { part: StoragePart; name?: string }): Promise<void> {
    this.#refuseWhileBusy('what is kept is deleted');
    await this.#requireArchive().empty(part, name);
    const { kept } = this.#active ?? {};
    if (kept && part === 'runs' && this.#active && (name === undefined || name === kept.id)) this.#active.kept = null;
  }

  async keepModel(): Promise<KeptModel> {
    const open = this.#host.model();
    const archive = this.#requireArchive();
    return this.#longJob(open.name, (onProgress, signal) => archive.keepModel(open, onProgress, signal));
  }

  async keptModels(): Promise<{ models: KeptModel[]; damaged: DamagedFile[] }> {
    return this.#archive ? this.#archive.models() : { models: [], damaged: [] };
  }

  async keptModelFiles({ key }: { key: string }): Promise<{ name: string; files: NamedFile[] }> {
    const archive = this.#requireArchive();
    return this.#longJob(key.slice(0, 8), (onProgress, signal) => archive.modelFiles(key, onProgress, signal));
  }

  async probeBudget({ capBytes }: ParamsOf<'probeBudget'>): Promise<BudgetProbe> {
    this.#refuseWhileBusy('the device is checked');
    return this.#longJob('the device', (onProgress, signal) => this.#budgets.measure(this.#host, { capBytes, onProgress, signal }));
  }

  cancelProbe(): void {
    this.#opening?.abort();
  }

  async budget(): Promise<Budget> {
    return this.#budgets.of((await this.#host.device()).adapter);
  }

  async setBudget({ bytes }: ParamsOf<'setBudget'>): Promise<void> {
    await this.#budgets.setByUser((await this.#host.device()).adapter, bytes);
  }

  pause(): void {
    this.#active?.run.pause();
  }

  resume(): void {
    this.#active?.run.resume();
  }

  stop(): void {
    this.#active?.run.stop();
  }

  async memory(): Promise<MemoryReport> {
    const { ledger } = await this.#host.device();
    return {
      live: { ...ledger.live },
      plan: this.#plannedBytes,
      liveBytes: ledger.liveBytes,
      peakBytes: ledger.peakBytes,
      planBytes: Object.values(this.#plannedBytes).reduce((sum, bytes) => sum + bytes, 0),
    };
  }

  async generate(params: GenerateParams): Promise<Generated> {
    await this.#reopening;
    const { model, tokenizer } = this.#host.model();
    const gpu = await this.#host.device();
    this.#chat ??= new Chat(gpu, this.#host.submits(), model, tokenizer);
    const training = params.side === 'tuned' ? this.#requireRun().live.training : null;
    return this.#chat.generate(params, training, (text) => this.#emit('token', { id: params.id, text }));
  }

  stopGenerating({ id }: { id: number }): void {
    this.#chat?.stop(id);
  }

  async exportAdapter(): Promise<{ files: NamedBytes[]; step: number }> {
    await this.#reopening;
    const { name } = this.#host.model();
    const run = this.#requireRun();
    const files = adapterFiles(run.plan.layout, await run.live.training.readAdapter(), name);
    const bytes = Object.entries(files).map(([path, content]: [string, string | Uint8Array]): NamedBytes => ({
      path,
      bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content,
    }));
    return { files: bytes, step: run.adapterStep };
  }

  /** Gives the device back and ends what goes on: for tests and for a worker that is closed. */
  async close(): Promise<void> {
    await this.#active?.kept?.settled();
    if (this.#active) this.#active.kept = null; // what goes on is left as it is, to be gone on with
    this.#active?.run.stop();
    await this.#host.destroy();
  }

  /** A kept run and what it takes to go on. @throws AppError `run/busy`, `run/other-model` */
  async #openKept(runId: string, what: string): Promise<{ opened: OpenedRun; parts: RunParts }> {
    this.#refuseWhileBusy(what);
    const open = this.#host.model();
    const opened = await this.#requireArchive().open(runId);
    const { summary, rows } = opened;
    if (summary.modelKey !== open.key) {
      const message = `the run ${summary.name} was made on ${summary.modelName}; ${open.name} is open, with other files`;
      throw new AppError('run/other-model', message, { found: open.name, expected: summary.modelName });
    }
    return { opened, parts: partsOf(runId, summary.recipe, rows) };
  }

  #eventsOf(id: string): RunEvents {
    const onMemory = () => void this.memory().then((report) => this.#emit('memory', report));
    return runEvents(id, this.#emit, () => this.#active?.kept ?? null, onMemory);
  }

  /** Allocates a run and lets it go; `keep` says where it is kept, once it is known that it fits. */
  async #begin(
    parts: RunParts,
    files: Record<string, Uint8Array> | null,
    keep: (run: ActiveRun) => Promise<ArchivedRun | null>,
  ): Promise<PlanSummary> {
    this.#state({ kind: 'preparing', what: 'memory and kernels' });
    (await this.#host.device()).ledger.restartPeak();
    const run = new ActiveRun(this.#host, parts, this.#eventsOf(parts.id));
    let answering: AnsweringPlan | null;
    try {
      answering = await run.prepare(files);
    } catch (error) {
      run.destroy();
      this.#state({ kind: 'failed', step: 0, error: toWire(error), remedies: await this.#remedies(error, parts) });
      throw error;
    }
    const kept = await keep(run).catch((error: unknown) => {
      run.destroy();
      this.#state({ kind: 'failed', step: 0, error: toWire(error), remedies: [] });
      throw error;
    });
    if (kept) {
      run.keepIn(kept.checkpoints);
      kept.onError = (error) => this.#emit('notSaved', { runId: kept.id, step: run.step, error: toWire(error) });
    }
    this.#active = { run, kept };
    const plan = summaryOfPlan(run.plan, answering);
    this.#plannedBytes = plan.bytes;
    void run.train(answering);
    return plan;
  }

  async #remedies(error: unknown, { recipe, sequences }: RunParts): Promise<RunStateOf<'failed'>['remedies']> {
    if (!(error instanceof AppError) || (error.code !== 'gpu/out-of-memory' && error.code !== 'gpu/limit')) return [];
    const lengths = sequences.map(({ tokens }) => tokens.length);
    return findRemedies(this.#host.model().model, recipe, lengths, await this.#host.device());
  }

  /** Work with progress and a way to cancel it, one at a time. */
  async #longJob<T>(
    what: string,
    work: (onProgress: (done: number, total: number) => void, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#opening) throw new AppError('run/busy', 'files are being read; wait or cancel first');
    const abort = new AbortController();
    this.#opening = abort;
    const meter = new RateMeter();
    try {
      const onProgress = (done: number, total: number) => this.#emit('progress', { what, unit: 'bytes', ...meter.at(done, total) });
      return await work(onProgress, abort.signal);
    } finally {
      this.#opening = null;
    }
  }

  #state(state: RunState): void {
    this.#emit('state', state);
  }

  /** A run that trains recovers by itself; else model and adapter go back to a new device here. */
  #onLost(reason: string): void {
    this.#chat = null;
    const isRecovering = this.#host.hasModel;
    this.#emit('deviceLost', { reason, isRecovering });
    if (this.#active?.run.isBusy) {
      this.#active.run.lost(reason);
      return;
    }
    if (!isRecovering) return;
    this.#reopening = this.#restore().catch((error: unknown) => {
      this.#active = null;
      this.#host.closeModel();
      this.#emit('deviceLost', { reason: toWire(error).message, isRecovering: false });
    });
  }

  async #restore(): Promise<void> {
    await this.#host.reopen();
    await this.#active?.run.restore();
    this.#emit('deviceBack', { adapterStep: this.#active?.run.adapterStep ?? null });
  }

  #requireRun(): ActiveRun {
    if (!this.#active) throw new AppError('run/no-adapter', 'no adapter has been trained on this model yet');
    return this.#active.run;
  }

  #requireArchive(): Archive {
    if (!this.#archive) throw new AppError('storage/failed', 'this browser gives the page no storage: nothing is kept here');
    return this.#archive;
  }

  #refuseWhileBusy(what: string): void {
    if (this.#active?.run.isBusy) throw new AppError('run/busy', `a run is going on; stop it before ${what}`);
    if (this.#opening) throw new AppError('run/busy', `files are being read; wait or cancel before ${what}`);
  }

  #closeRun(): void {
    this.#active?.run.destroy();
    this.#active = null;
  }

  #forgetChat(): void {
    this.#chat?.destroy();
    this.#chat = null;
  }
}

type ParamsOf<Call extends keyof TrainerCalls> = Parameters<TrainerCalls[Call]>[0];
type RunStateOf<Kind extends RunState['kind']> = Extract<RunState, { kind: Kind }>;
