/** How many bytes a device gives: measured once, or said by the user, and kept by adapter. Knows no run. */
import { invariant } from '#base/errors.ts';
import { probeBudget } from '#engine/gpu/budget-probe.ts';
import type { AdapterDescription, Gpu } from '#engine/gpu/device.ts';
import type { Budget, BudgetProbe } from '#protocol/trainer.ts';
import { type FileStore, readWhole } from '#storage/file-store.ts';

/** More than any one device has today. */
const CAP_BYTES = 64 * 2 ** 30;
/** A software adapter takes the machine's own memory, of which nothing is known here. */
const SOFTWARE_CAP_BYTES = 2 ** 30;

const PATH = 'settings/budgets.json';
const VERSION = 1;

/** Of one adapter. */
interface KnownBudget {
  measured: BudgetProbe | null;
  /** In bytes; it counts more than what was measured. */
  byUser: number | null;
}

interface MeasureOptions {
  /** What is taken at the most, with what the device in use holds. */
  capBytes: number | undefined;
  onProgress: (done: number, total: number) => void;
  signal: AbortSignal;
}

/** Where devices come from: the one in use, and another of the same adapter. */
export interface DeviceSource {
  device(): Promise<Gpu>;
  openAnother(): Promise<Gpu>;
}

export class Budgets {
  readonly #store: FileStore | null;
  #known: Promise<Map<string, KnownBudget>> | null = null;
  /** Whether the file is of a version that is not ours to overwrite. */
  #isForeign = false;
  #writing: Promise<void> = Promise.resolve();

  /** Null: what is learnt lives as long as this. */
  constructor(store: FileStore | null) {
    this.#store = store;
  }

  async of(adapter: AdapterDescription): Promise<Budget> {
    const name = adapterName(adapter);
    const { measured = null, byUser = null } = (await this.#all()).get(name) ?? {};
    if (byUser !== null) return { budgetBytes: byUser, setByUser: true, reachedCap: false, adapter: name };
    return { budgetBytes: measured?.budgetBytes ?? null, setByUser: false, reachedCap: measured?.reachedCap ?? false, adapter: name };
  }

  /**
   * Measures on a device of its own, since that one may be lost in it; what the device in use holds already is counted in.
   * @throws AppError `run/cancelled`
   */
  async measure(source: DeviceSource, { capBytes, onProgress, signal }: MeasureOptions): Promise<BudgetProbe> {
    const { adapter, ledger } = await source.device();
    const heldBytes = ledger.liveBytes;
    const cap = Math.min(CAP_BYTES, capBytes ?? (adapter.isSoftware ? SOFTWARE_CAP_BYTES : CAP_BYTES));
    const other = await source.openAnother();
    try {
      const free = await probeBudget(other, {
        capBytes: Math.max(0, cap - heldBytes),
        signal,
        onProgress: (done) => onProgress(heldBytes + done, cap),
      });
      const measured = { budgetBytes: heldBytes + free.budgetBytes, reachedCap: free.reachedCap };
      await this.#change(adapter, { measured });
      return measured;
    } finally {
      other.destroy();
    }
  }

  /** Null: back to what was measured. */
  async setByUser(adapter: AdapterDescription, bytes: number | null): Promise<void> {
    invariant(bytes === null || (Number.isSafeInteger(bytes) && bytes > 0), `a budget of ${bytes} bytes`);
    await this.#change(adapter, { byUser: bytes });
  }

  async #change(adapter: AdapterDescription, change: Partial<KnownBudget>): Promise<void> {
    const known = await this.#all();
    const name = adapterName(adapter);
    known.set(name, { measured: null, byUser: null, ...known.get(name), ...change });
    const store = this.#store;
    if (store === null || this.#isForeign) return;
    // One after the other: a store's path has one writer at a time.
    const text = JSON.stringify({ version: VERSION, budgets: Object.fromEntries(known) });
    const write = this.#writing.then(() => store.write(PATH, [new TextEncoder().encode(`${text}\n`)]));
    this.#writing = write.catch(() => {});
    await write;
  }

  #all(): Promise<Map<string, KnownBudget>> {
    this.#known ??= this.#read();
    return this.#known;
  }

  /** What cannot be read is measured again at the price of seconds, so it is no error; another version's file stays as it is. */
  async #read(): Promise<Map<string, KnownBudget>> {
    if (this.#store === null) return new Map();
    let value: { version?: unknown; budgets?: unknown } | null;
    try {
      value = JSON.parse(new TextDecoder().decode(await readWhole(this.#store, PATH))) as typeof value;
    } catch {
      return new Map();
    }
    this.#isForeign = typeof value?.version === 'number' && value.version !== VERSION;
    if (value?.version !== VERSION || typeof value.budgets !== 'object' || value.budgets === null) return new Map();
    return new Map(Object.entries(value.budgets).map(([name, budget]) => [name, readBudget(budget)]));
  }
}

function readBudget(value: unknown): KnownBudget {
  const { measured, byUser } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Record<string, unknown>>;
  const isBytes = (bytes: unknown): bytes is number => typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes > 0;
  const { budgetBytes, reachedCap } = (typeof measured === 'object' && measured !== null ? measured : {}) as Partial<
    Record<string, unknown>
  >;
  return {
    measured: isBytes(budgetBytes) ? { budgetBytes, reachedCap: reachedCap === true } : null,
    byUser: isBytes(byUser) ? byUser : null,
  };
}

/** Browsers often leave the description out. */
function adapterName({ vendor, architecture, description }: AdapterDescription): string {
  return [vendor, architecture, description].filter(Boolean).join(' ');
}
