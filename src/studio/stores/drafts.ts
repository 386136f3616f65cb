/** What was typed and chosen: the one store that survives a reload. Knows no worker. */
import { persist, createJSONStorage, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import type { DataMapping, MappingGuess } from '#protocol/data.ts';
import { RECIPE_FIELDS } from '#recipe/fields.ts';
import { type History, NO_HISTORY, type RecipeDraft, redone, remembered, undone } from '#studio/stores/history.ts';

/** The demo's own recipe and that of other models differ by an order of magnitude in their rates, so what was changed is kept apart. */
export type RecipeOf = 'demo' | 'own';

export interface ChatSettings {
  maxNewTokens: number;
  /** 0: greedy. */
  temperature: number;
  topK: number;
  topP: number;
  seed: number;
}

export const CHAT_DEFAULTS: ChatSettings = { maxNewTokens: 64, temperature: 0, topK: 40, topP: 0.95, seed: 1 };

export interface Drafts {
  /** Fields that differ from the recipe to begin with, as they were typed: a value may be none that the recipe allows. */
  fields: Record<RecipeOf, Record<string, unknown>>;
  /** The mapping that a user chose, by dataset. */
  mappings: Record<string, MappingGuess>;
  chatFields: Record<string, string>;
  chat: ChatSettings;
  /** Held-out rows that base and tuned answer. */
  answeredRows: Record<RecipeOf, number>;
}

export interface DraftStore extends Drafts {
  /** What recipe and mappings were before each change, on this visit. */
  history: History;
  setField: (of: RecipeOf, field: string, value: unknown) => void;
  /** Several fields as one change. */
  setFields: (of: RecipeOf, fields: Record<string, unknown>) => void;
  /** Another recipe as one change: these fields and no others, with a mapping for a dataset where it has one. */
  replaceRecipe: (of: RecipeOf, fields: Record<string, unknown>, mapping: { dataset: string; mapping: MappingGuess } | null) => void;
  resetFields: (of: RecipeOf) => void;
  setMapping: (dataset: string, mapping: MappingGuess) => void;
  resetMapping: (dataset: string) => void;
  setChatField: (name: string, value: string) => void;
  setChat: (settings: Partial<ChatSettings>) => void;
  setAnsweredRows: (of: RecipeOf, rows: number) => void;
  undo: () => void;
  redo: () => void;
  /** Another model or dataset is open: what was changed before is of no concern to it. */
  forgetHistory: () => void;
}

/** The KV cache of so many answers at once is in the plan: a model of one's own may be large and its rows long. */
export const ANSWERED_ROWS: Readonly<Record<RecipeOf, number>> = { demo: 60, own: 8 };
const STORAGE_KEY = 'loratory.drafts';

const EMPTY: Drafts = { fields: { demo: {}, own: {} }, mappings: {}, chatFields: {}, chat: CHAT_DEFAULTS, answeredRows: ANSWERED_ROWS };

export function createDraftStore(storage: StateStorage) {
  return createStore<DraftStore>()(
    persist(
      (set) => {
        /** `what`: changes of the same thing in quick succession are one, as a number that is typed. */
        const change = (what: string | null, next: (draft: RecipeDraft) => Partial<RecipeDraft>): void => {
          set(({ fields, mappings, history }) => {
            const draft = { fields, mappings };
            return { ...next(draft), history: remembered(history, draft, what, Date.now()) };
          });
        };
        return {
          ...EMPTY,
          history: NO_HISTORY,
          setField: (of, field, value) =>
            change(field, ({ fields }) => ({ fields: { ...fields, [of]: { ...fields[of], [field]: value } } })),
          setFields: (of, fields) => change(null, (draft) => ({ fields: { ...draft.fields, [of]: { ...draft.fields[of], ...fields } } })),
          replaceRecipe: (of, fields, mapping) =>
            change(null, (draft) => ({
              fields: { ...draft.fields, [of]: fields },
              mappings: mapping === null ? draft.mappings : { ...draft.mappings, [mapping.dataset]: mapping.mapping },
            })),
          resetFields: (of) => change(null, ({ fields }) => ({ fields: { ...fields, [of]: {} } })),
          setMapping: (dataset, mapping) => change('mapping', ({ mappings }) => ({ mappings: { ...mappings, [dataset]: mapping } })),
          resetMapping: (dataset) =>
            change(null, ({ mappings }) => ({
              mappings: Object.fromEntries(Object.entries(mappings).filter(([name]) => name !== dataset)),
            })),
          setChatField: (name, value) => set(({ chatFields }) => ({ chatFields: { ...chatFields, [name]: value } })),
          setChat: (settings) => set(({ chat }) => ({ chat: { ...chat, ...settings } })),
          setAnsweredRows: (of, rows) => set(({ answeredRows }) => ({ answeredRows: { ...answeredRows, [of]: rows } })),
          undo: () => set(({ fields, mappings, history }) => undone(history, { fields, mappings })),
          redo: () => set(({ fields, mappings, history }) => redone(history, { fields, mappings })),
          forgetHistory: () => set(({ history }) => (history === NO_HISTORY ? {} : { history: NO_HISTORY })),
        };
      },
      {
        name: STORAGE_KEY,
        version: 1,
        storage: createJSONStorage(() => storage),
        partialize: ({ fields, mappings, chatFields, chat, answeredRows }): Drafts => ({
          fields,
          mappings,
          chatFields,
          chat,
          answeredRows,
        }),
        merge: (stored, current) => ({ ...current, ...readDrafts(stored) }),
      },
    ),
  );
}

/** What of a stored value can still be used: it may come from another version, or from anyone. */
export function readDrafts(stored: unknown): Drafts {
  const value = asRecord(stored);
  const fields = asRecord(value.fields);
  const chat = asRecord(value.chat);
  const answered = asRecord(value.answeredRows);
  const known = (record: unknown) =>
    Object.fromEntries(Object.entries(asRecord(record)).filter(([name]) => Object.hasOwn(RECIPE_FIELDS, name)));
  const number = (candidate: unknown, fallback: number) =>
    typeof candidate === 'number' && Number.isFinite(candidate) ? candidate : fallback;
  return {
    fields: { demo: known(fields.demo), own: known(fields.own) },
    mappings: Object.fromEntries(
      Object.entries(asRecord(value.mappings)).flatMap(([name, guess]) => {
        const read = readGuess(guess);
        return read === null ? [] : [[name, read]];
      }),
    ),
    chatFields: Object.fromEntries(
      Object.entries(asRecord(value.chatFields)).flatMap(([name, text]) => (typeof text === 'string' ? [[name, text]] : [])),
    ),
    chat: {
      maxNewTokens: number(chat.maxNewTokens, CHAT_DEFAULTS.maxNewTokens),
      temperature: number(chat.temperature, CHAT_DEFAULTS.temperature),
      topK: number(chat.topK, CHAT_DEFAULTS.topK),
      topP: number(chat.topP, CHAT_DEFAULTS.topP),
      seed: number(chat.seed, CHAT_DEFAULTS.seed),
    },
    answeredRows: {
      demo: number(answered.demo, ANSWERED_ROWS.demo),
      own: number(answered.own, ANSWERED_ROWS.own),
    },
  };
}

function readGuess(value: unknown): MappingGuess | null {
  const { mapping, loss } = asRecord(value);
  const read = readMapping(asRecord(mapping));
  return read === null || (loss !== 'all' && loss !== 'answer') ? null : { mapping: read, loss };
}

function readMapping(value: Record<string, unknown>): DataMapping | null {
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : '');
  const optional = (name: 'tools' | 'system') => (text(name) === '' ? {} : { [name]: text(name) });
  const choice = (['auto', 'on', 'off'] as const).find((each) => each === value.thinking);
  const thinking = choice === undefined ? {} : { thinking: choice };
  switch (value.kind) {
    case 'text':
      return { kind: 'text', column: text('column') };
    case 'template':
      return { kind: 'template', template: text('template') };
    case 'messages':
      return { kind: 'messages', column: text('column'), ...optional('tools'), ...thinking };
    case 'prompt-completion':
      return { kind: 'prompt-completion', prompt: text('prompt'), completion: text('completion'), ...thinking };
    case 'turns': {
      const user = Array.isArray(value.user) ? value.user.filter((column) => typeof column === 'string') : [];
      const plain = value.plain === true ? { plain: true } : {};
      return { kind: 'turns', user, assistant: text('assistant'), ...optional('system'), ...plain, ...thinking };
    }
    default:
      return null;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
