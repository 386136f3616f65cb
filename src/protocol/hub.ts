/** What page and workers say to each other of a hub of models and datasets. Plain data, safe to clone. */
import type { HubModel } from '#storage/hub.ts';

export type { PartialDownload } from '#storage/hub-download.ts';
export type { HubCard, HubFile, HubModel } from '#storage/hub.ts';

/** The hub that is used. Of the token the page hears only whether there is one. */
export interface HubState {
  endpoint: string;
  hasToken: boolean;
}

/** A model of the hub. `gguf`: that file of it, instead of its safetensors. */
export interface HubModelChoice {
  id: string;
  /** A branch, a tag or a commit; without one: main. */
  revision?: string;
  gguf?: string;
}

export interface HubProgress {
  id: HubModel['id'];
  commit: HubModel['commit'];
  /** Bytes that are here. */
  done: number;
  total: number;
  perSecond: number;
  secondsLeft: number | null;
}

/** A request is tried again after so long: the hub asked for it, or did not answer. */
export interface HubWait {
  host: string;
  seconds: number;
  status: number | null;
}

/** Rows of a hub's dataset. */
export interface HubDatasetChoice {
  id: string;
  /** One of its configurations; without one: `default`, or the only one. */
  subset?: string;
  /** As the `datasets` library has it: `train[:80%]`. Without one: train. */
  split?: string;
  /** A split whose rows are held out, as a held-out file is. */
  heldOutSplit?: string;
}

/** What of a hub's dataset was opened, and what else there is. */
export interface HubDatasetState {
  id: string;
  /** Of the parquet files. */
  commit: string;
  subset: string;
  split: string;
  subsets: { name: string; splits: string[] }[];
  /** The hub offers the first part of its rows alone. */
  isPartial: boolean;
}
