/** What the data worker does for the page: one tokenizer, one dataset, its preview and its sequences. No postMessage here. */
import { blobSource, type ByteSource } from '#base/bytes.ts';
import { AppError } from '#base/errors.ts';
import { chatRenderer } from '#data/chat-renderer.ts';
import type { ChatRenderer, RowContext } from '#data/drafts.ts';
import { type ComparedRows, groupRows, holdOut } from '#data/hold-out.ts';
import { loadRows } from '#data/load-rows.ts';
import type { DataMapping } from '#data/mapping.ts';
import type { Row, RowSet } from '#data/rows.ts';
import { checkRows } from '#data/row-checks.ts';
import { TokenEnds } from '#data/token-ends.ts';
import { type TokenizedRows, tokenizeRows } from '#data/tokenize.ts';
import { openRows, type RowsFile } from '#formats/rows.ts';
import type { DataEvents, DataSettings, DatasetSummary, PreparedData, Preview, TakenRows, TokenizerSummary } from '#protocol/data.ts';
import { type Emit, transfer } from '#protocol/rpc.ts';
import type { HeldOutRow, NamedFile, PackedRows } from '#protocol/trainer.ts';
import { lengthsOf, packRows, reportOf, usedRows } from '#run/data-report.ts';
import { guessMapping } from '#run/guess-mapping.ts';
import { RateMeter } from '#run/metrics.ts';
import { openTokenizerFiles } from '#run/open-files.ts';
import { heldOutPrompt, type HeldOutPrompt, mostlyReason, promptFields, renderPrompt } from '#run/prompts.ts';
import { hiddenPromptOf, previewOf } from '#run/row-preview.ts';
import type { Tokenizer } from '#tokenizer/tokenizer.ts';

/** Rows that a guess of the mapping looks at. */
const GUESS_ROWS = 20;
/** Work between two looks at the messages that came in the meantime, and two reports of progress. */
const TURN_MS = 30;
const REPORT_MS = 100;

interface Dataset {
  name: string;
  file: RowsFile;
  firstRows: readonly Row[];
  heldOutFile: { name: string; file: RowsFile } | null;
  /** All rows, read when they are first needed. */
  rows: Promise<RowSet> | null;
  heldOutRows: Promise<RowSet> | null;
  /** The near-duplicates among all rows under a mapping: finding them anew for each setting would be in vain. */
  groups: { mapping: string; groups: Uint32Array } | null;
}

interface OpenTokenizer {
  tokenizer: Tokenizer;
  renderChat: ChatRenderer;
}

interface Prepared {
  train: TokenizedRows;
  validation: TokenizedRows;
  /** Rows that are asked about, of the set that `context` has. */
  heldOut: readonly number[];
  context: RowContext;
}

export class DataSession {
  readonly #emit: Emit<DataEvents>;
  #tokenizer: OpenTokenizer | null = null;
  #dataset: Dataset | null = null;
  #prepared: Prepared | null = null;
  /** Counts calls of `prepare`: one that is not the last gives up. */
  #preparing = 0;

  constructor(emit: Emit<DataEvents>) {
    this.#emit = emit;
  }

  async openTokenizer(params: { name: string; files: NamedFile[] }): Promise<TokenizerSummary> {
    return this.openTokenizerOf(new Map(params.files.map(({ path, file }) => [path, blobSource(path, file)])));
  }

  async openTokenizerOf(files: ReadonlyMap<string, ByteSource>): Promise<TokenizerSummary> {
    const tokenizer = await openTokenizerFiles(files);
    this.#tokenizer = { tokenizer, renderChat: chatRenderer(tokenizer) };
    this.#forgetSequences();
    const textOf = (id: number | null) => (id === null ? null : tokenizer.tokenText(id));
    return {
      vocabSize: tokenizer.vocabSize,
      bosToken: textOf(tokenizer.bosId),
      eosToken: textOf(tokenizer.eosId),
      hasChatTemplate: tokenizer.chatTemplate !== null,
    };
  }

  async openDataset({ path, file, heldOut }: NamedFile & { heldOut?: NamedFile }): Promise<DatasetSummary> {
    const rows = await openRows(blobSource(path, file));
    const heldOutFile = heldOut === undefined ? null : { name: heldOut.path, file: await openRows(blobSource(heldOut.path, heldOut.file)) };
    return this.openRowsFile(path, rows, heldOutFile);
  }

  /** The dataset before goes once the first rows of the new one are read. */
  async openRowsFile(name: string, rows: RowsFile, heldOutFile: Dataset['heldOutFile']): Promise<DatasetSummary> {
    const firstRows = await rows.rows(0, Math.min(GUESS_ROWS, rows.rowCount));
    this.#dataset = { name, file: rows, firstRows, heldOutFile, rows: null, heldOutRows: null, groups: null };
    this.#forgetSequences();
    return {
      name,
      columns: rows.columns,
      rowCount: rows.rowCount,
      heldOut: heldOutFile === null ? null : { name: heldOutFile.name, rowCount: heldOutFile.file.rowCount },
      format: rows.format,
      guess: guessMapping({ columns: rows.columns, firstRows, textUnit: rows.textUnit }),
    };
  }

  async rows({ start, end }: { start: number; end: number }): Promise<Record<string, unknown>[]> {
    const { file } = this.#requireDataset();
    return file.rows(Math.min(start, file.rowCount), Math.min(end, file.rowCount));
  }

  async preview(params: { row: number; settings: DataSettings; part?: number }): Promise<Preview> {
    return previewOf(await this.#context(params.settings), params.row, params.part ?? 0);
  }

  async prepare({ settings }: { settings: DataSettings }): Promise<PreparedData> {
    const turn = ++this.#preparing;
    this.#prepared = null;
    let lookedAt = performance.now();
    const giveWay = async (): Promise<void> => {
      if (performance.now() - lookedAt >= TURN_MS) {
        await messagesFirst();
        lookedAt = performance.now();
      }
      if (turn !== this.#preparing) throw new AppError('run/cancelled', 'the rows are being read with other settings');
    };
    const context = await this.#context(settings);
    const compared = { set: context.set, heldOutSet: await this.#heldOutRows() };
    await giveWay();
    const groups = settings.keepDuplicatesTogether ? await this.#groups(compared, settings.mapping, giveWay) : null;
    const split = holdOut(compared, settings, groups);
    const heldOutContext = { ...context, set: compared.heldOutSet ?? context.set };
    const meter = new RateMeter();
    const total = split.train.length + split.heldOut.length;
    let reportedAt = lookedAt;
    const progressFrom = (before: number) => async (done: number) => {
      const now = performance.now();
      if (now - reportedAt >= REPORT_MS) {
        reportedAt = now;
        this.#emit('progress', meter.at(before + done, total));
      }
      await giveWay();
    };
    const train = await tokenizeRows(context, { rows: split.train, skipInvalid: true, onProgress: progressFrom(0) });
    const validation = await tokenizeRows(heldOutContext, {
      rows: split.heldOut,
      mayBeEmpty: true,
      skipInvalid: true,
      onProgress: progressFrom(split.train.length),
    });
    const checks = await checkRows(context.set, settings.mapping, settings.loss, giveWay);
    await giveWay();
    this.#prepared = { train, validation, heldOut: split.heldOut, context: heldOutContext };
    return {
      report: reportOf({
        settings,
        rowCount: context.set.rows.length,
        split,
        train,
        validation,
        hasHeldOutFile: compared.heldOutSet !== null,
        checks,
        ends: new TokenEnds(context.tokenizer),
        hiddenPrompt: hiddenPromptOf(context),
      }),
      rowLengths: lengthsOf(train.sequences),
      validationLengths: lengthsOf(validation.sequences),
    };
  }

  takeRows(): TakenRows {
    const { train, validation } = this.#requirePrepared();
    const rows: TakenRows = {
      train: packRows(train.sequences),
      validation: validation.sequences.length === 0 ? null : { ...packRows(validation.sequences), rowCount: usedRows(validation) },
    };
    return transfer(rows, [rows.train, rows.validation].flatMap(buffersOf));
  }

  heldOut({ limit }: { limit: number }): HeldOutRow[] {
    const { context, heldOut } = this.#requirePrepared();
    const rows: HeldOutRow[] = [];
    for (const row of heldOut) {
      if (rows.length >= limit) break;
      const asked = askedOf(context, row);
      if (asked !== null) rows.push({ row, ...asked });
    }
    return rows;
  }

  promptFields({ settings }: { settings: DataSettings | null }): string[] {
    return promptFields(settings?.mapping ?? null, this.#columnSet());
  }

  renderPrompt({ settings, fields }: { settings: DataSettings | null; fields: Record<string, string> }): { prompt: string } {
    const mapping = settings?.mapping ?? null;
    const reasons = mapping !== null && mostlyReason(mapping, this.#dataset?.firstRows ?? []);
    return { prompt: renderPrompt(this.#requireTokenizer(), mapping, this.#columnSet(), fields, reasons) };
  }

  #columnSet(): Pick<RowSet, 'file' | 'columns'> {
    return { file: this.#dataset?.name ?? '', columns: this.#dataset?.file.columns ?? [] };
  }

  async #context(settings: DataSettings): Promise<RowContext> {
    const { tokenizer, renderChat } = this.#requireTokenizer();
    const dataset = this.#requireDataset();
    dataset.rows ??= loadRows([{ name: dataset.name, rows: dataset.file }]);
    return { set: await dataset.rows, options: settings, tokenizer, renderChat };
  }

  /** The rows of the held-out file, where there is one. */
  async #heldOutRows(): Promise<RowSet | null> {
    const dataset = this.#requireDataset();
    const held = dataset.heldOutFile;
    if (held === null) return null;
    dataset.heldOutRows ??= loadRows([{ name: held.name, rows: held.file }]);
    return dataset.heldOutRows;
  }

  async #groups(compared: ComparedRows, mapping: DataMapping, onTurn: () => Promise<void>): Promise<Uint32Array> {
    const dataset = this.#requireDataset();
    const key = JSON.stringify(mapping);
    if (dataset.groups?.mapping !== key) dataset.groups = { mapping: key, groups: await groupRows(compared, mapping, onTurn) };
    return dataset.groups.groups;
  }

  /** What was made of another tokenizer or dataset must not be trained on. */
  #forgetSequences(): void {
    this.#preparing++;
    this.#prepared = null;
  }

  #requireTokenizer(): OpenTokenizer {
    if (this.#tokenizer === null) throw new AppError('run/no-model', 'no model is open, so there is no tokenizer to make tokens with');
    return this.#tokenizer;
  }

  #requirePrepared(): Prepared {
    if (this.#prepared === null) throw new AppError('data/no-rows', 'no rows have been made ready yet', { found: 0, expected: 1 });
    return this.#prepared;
  }

  #requireDataset(): Dataset {
    if (this.#dataset === null) throw new AppError('data/no-rows', 'no dataset is open', { found: 0, expected: 1 });
    return this.#dataset;
  }
}

/** A row of no use, which training left out, has no question. */
function askedOf(context: RowContext, row: number): HeldOutPrompt | null {
  try {
    return heldOutPrompt(context, row);
  } catch (error) {
    if (error instanceof AppError && error.code === 'data/invalid') return null;
    throw error;
  }
}

/** Lets messages that have come be handled. A timer would be held back while the tab is hidden. */
function messagesFirst(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}

function buffersOf(rows: PackedRows | null): ArrayBufferLike[] {
  return rows === null ? [] : [rows.tokens.buffer, rows.lossMask.buffer, rows.offsets.buffer];
}
