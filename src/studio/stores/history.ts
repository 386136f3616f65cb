/** Undo and redo of what is said in a recipe: whole drafts, which share what did not change. Pure. */
import type { Drafts } from '#studio/stores/drafts.ts';

/** What a recipe is made of: its fields, and the mapping of each dataset. */
export type RecipeDraft = Pick<Drafts, 'fields' | 'mappings'>;

export interface History {
  past: readonly RecipeDraft[];
  future: readonly RecipeDraft[];
  /** The change that came last, and when. */
  last: { what: string; at: number } | null;
}

export const NO_HISTORY: History = { past: [], future: [], last: null };
export const MOST_UNDONE = 100;
/** Changes of one thing within this time are one change. */
const TOGETHER_MS = 1000;

/** The history after a change of `draft`. `what`: the thing that changed; null: a change that stands by itself. */
export function remembered({ past, last }: History, draft: RecipeDraft, what: string | null, now: number): History {
  const goesOn = what !== null && last !== null && last.what === what && now - last.at < TOGETHER_MS;
  return {
    past: goesOn ? past : [...past, draft].slice(-MOST_UNDONE),
    future: [],
    last: what === null ? null : { what, at: now },
  };
}

/** Nothing where there is nothing to undo. */
export function undone({ past, future }: History, draft: RecipeDraft): Partial<RecipeDraft & { history: History }> {
  const before = past.at(-1);
  return before === undefined ? {} : { ...before, history: { past: past.slice(0, -1), future: [...future, draft], last: null } };
}

export function redone({ past, future }: History, draft: RecipeDraft): Partial<RecipeDraft & { history: History }> {
  const after = future.at(-1);
  return after === undefined ? {} : { ...after, history: { past: [...past, draft], future: future.slice(0, -1), last: null } };
}
