/** Shows the stores of one tab in others: what changes is told, a newcomer gets all of it. Knows stores, and not what they say. */
import type { StoreApi } from 'zustand';
import { AppError, fromWire, toWire, type WireError } from '#base/errors.ts';
import type { EvaluationMetrics } from '#protocol/trainer.ts';
import type { Studio } from '#studio/studio.ts';
import type { SeriesStep } from '#studio/train/metric-series.ts';

type Values = Record<string, unknown>;

/**
 * `lead`: a tab went to work; `hello`: another one looks on, and knows nothing yet; `ask` and `rows`: rows of the dataset, which lie in the
 * worker alone.
 */
export type TabMessage =
  | { kind: 'lead' }
  | { kind: 'hello' }
  | { kind: 'change'; stores: Record<string, Values>; series: SeriesChange | null }
  | { kind: 'ask'; id: string; start: number; end: number }
  | { kind: 'rows'; id: string; rows: Values[] };

/** Reaches the other tabs, and not the one that tells. */
export interface TabChannel {
  tell(message: TabMessage): void;
  hear(listener: (message: TabMessage) => void): void;
}

interface SeriesChange {
  /** Whether what was there before is of no use any more. */
  isWhole: boolean;
  steps: readonly SeriesStep[];
  evaluations: readonly EvaluationMetrics[];
}

type AnyStore = StoreApi<Values>;

/** Bytes of downloads, which are made where they are wanted. */
const NOT_SHOWN = new Set(['exports']);

export function storesOf(studio: Studio): Map<string, AnyStore> {
  const isStore = (value: unknown): value is AnyStore =>
    typeof value === 'object' && value !== null && 'getState' in value && 'setState' in value;
  return new Map(Object.entries(studio).flatMap(([name, value]) => (isStore(value) ? [[name, value]] : [])));
}

/** Tells on the channel what the studio's stores say, from the first `hello` on. */
export function showTo(channel: TabChannel, studio: Studio): void {
  const stores = [...storesOf(studio)].filter(([name]) => !NOT_SHOWN.has(name));
  let hasLookers = false;
  let changed: Record<string, Values> = {};
  let isWaiting = false;
  const series = followSeries(studio.series);

  const send = (isWhole: boolean): void => {
    const whole = (): Record<string, Values> => Object.fromEntries(stores.map(([name, store]) => [name, { ...store.getState() }]));
    const said = encode(isWhole ? whole() : changed) as Record<string, Values>;
    changed = {};
    channel.tell({ kind: 'change', stores: said, series: series(isWhole) });
  };
  // What one event changes in several stores goes in one message; a timer would stand still in a hidden tab.
  const expectSend = (): void => {
    if (isWaiting || !hasLookers) return;
    isWaiting = true;
    queueMicrotask(() => {
      isWaiting = false;
      send(false);
    });
  };
  for (const [name, store] of stores) {
    store.subscribe((now, before) => {
      const fresh = Object.entries(now).filter(([key, value]) => value !== before[key]);
      changed[name] = { ...changed[name], ...Object.fromEntries(fresh) };
      expectSend();
    });
  }
  studio.series.subscribe(expectSend);
  const answer = async ({ id, start, end }: Extract<TabMessage, { kind: 'ask' }>): Promise<void> => {
    const rows = await studio.dataset.getState().rows(start, end);
    channel.tell({ kind: 'rows', id, rows });
  };
  channel.hear((message) => {
    if (message.kind === 'hello') {
      hasLookers = true;
      send(true);
    } else if (message.kind === 'ask') {
      // Of another dataset by now: nobody waits for these rows.
      answer(message).catch(() => {});
    }
  });
}

/** Lets the stores of a studio say what another tab tells on the channel. */
export function lookAt(channel: TabChannel, studio: Studio): void {
  const stores = storesOf(studio);
  channel.hear((message) => {
    if (message.kind !== 'change') return;
    if (message.series !== null) applySeries(studio.series, message.series);
    for (const [name, values] of Object.entries(message.stores)) stores.get(name)?.setState(decode(values) as Values);
  });
}

/** Rows of the dataset that is open in the tab at work; they never come when that tab is gone, or opens another. */
export function askRows(channel: TabChannel): (start: number, end: number) => Promise<Values[]> {
  const waiting = new Map<string, (rows: Values[]) => void>();
  channel.hear((message) => {
    if (message.kind !== 'rows') return;
    waiting.get(message.id)?.(message.rows);
    waiting.delete(message.id);
  });
  return (start, end) =>
    new Promise((resolve) => {
      // Other tabs hear the answer too.
      const id = crypto.randomUUID();
      waiting.set(id, resolve);
      channel.tell({ kind: 'ask', id, start, end });
    });
}

/** What is new in a series since it was last asked. */
function followSeries(series: Studio['series']): (isWhole: boolean) => SeriesChange | null {
  let version = -1;
  let told = 0;
  let last: SeriesStep | undefined;
  let evaluations: readonly EvaluationMetrics[] = [];
  return (isWhole) => {
    if (!isWhole && series.version === version) return null;
    version = series.version;
    const { steps } = series;
    const at = steps[told - 1];
    const isSame = told === 0 || (at !== undefined && at.step === last?.step && Object.is(at.lossNats, last.lossNats));
    const goesOn = !isWhole && isSame && series.evaluations.length >= evaluations.length;
    const from = goesOn ? told : 0;
    told = steps.length;
    last = steps.at(-1);
    const fresh = goesOn ? series.evaluations.filter((evaluation) => !evaluations.includes(evaluation)) : series.evaluations;
    evaluations = series.evaluations;
    return { isWhole: !goesOn, steps: steps.slice(from), evaluations: fresh };
  };
}

function applySeries(series: Studio['series'], { isWhole, steps, evaluations }: SeriesChange): void {
  if (isWhole) series.clear();
  if (steps.length > 0) series.append(steps);
  for (const evaluation of evaluations) series.appendEvaluation(evaluation);
}

const ERROR = '$appError';

/** Plain data of a state: functions stay behind, errors keep their codes. Files, blobs and typed arrays cross as they are. */
export function encode(value: unknown): unknown {
  if (value instanceof AppError) return { [ERROR]: toWire(value) };
  if (Array.isArray(value)) return value.map(encode);
  if (!isPlain(value)) return value;
  const entries = Object.entries(value).filter(([, each]) => typeof each !== 'function');
  return Object.fromEntries(entries.map(([key, each]) => [key, encode(each)]));
}

export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (!isPlain(value)) return value;
  if (ERROR in value) return fromWire(value[ERROR] as WireError);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, decode(each)]));
}

function isPlain(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

export function openChannel(name: string): TabChannel {
  const channel = new BroadcastChannel(name);
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a BroadcastChannel takes none: it reaches its own origin alone
    tell: (message) => channel.postMessage(message),
    hear: (listener) => channel.addEventListener('message', ({ data }: MessageEvent<TabMessage>) => listener(data)),
  };
}
