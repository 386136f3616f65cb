/** What base and tuned were asked, and what they say as it comes. */
import { createStore } from 'zustand/vanilla';
import type { AppError } from '#base/errors.ts';
import type { DataSettings } from '#protocol/data.ts';
import type { GenerateParams, Generated } from '#protocol/trainer.ts';
import type { Clients } from '#studio/clients.ts';
import { asAppError } from '#studio/stores/device.ts';
import type { ChatSettings } from '#studio/stores/drafts.ts';

export type SideName = GenerateParams['side'];

export interface Side {
  /** Of the generation, as events carry it. */
  id: number;
  text: string;
  status: 'writing' | 'done' | 'failed';
  result: Generated | null;
  error: AppError | null;
}

export interface Exchange {
  id: number;
  /** What the user wrote. */
  message: string;
  /** The text as the model saw it. */
  prompt: string;
  base: Side;
  /** Null when there was no adapter to ask. */
  tuned: Side | null;
}

export interface Question {
  settings: DataSettings | null;
  fields: Record<string, string>;
  options: ChatSettings;
  hasAdapter: boolean;
}

export interface ChatStore {
  /** The latest first. */
  exchanges: Exchange[];
  /** What has to be written for a prompt. */
  fields: string[];
  error: AppError | null;
  askForFields: (settings: DataSettings | null) => Promise<void>;
  send: (question: Question) => Promise<void>;
  stop: () => void;
  forget: () => void;
}

export function createChatStore({ trainer, data }: Clients) {
  return createStore<ChatStore>((set, get) => {
    let nextId = 1;
    let fieldTurns = 0;
    const change = (id: number, how: (side: Side) => Side): void => {
      const changed = <S extends Side | null>(side: S): S | Side => (side?.id === id ? how(side) : side);
      set(({ exchanges }) => ({
        exchanges: exchanges.map((exchange) => ({ ...exchange, base: changed(exchange.base), tuned: changed(exchange.tuned) })),
      }));
    };
    trainer.on('token', ({ id, text }) => change(id, (side) => ({ ...side, text: side.text + text })));
    const generate = async (side: SideName, id: number, prompt: string, options: ChatSettings): Promise<void> => {
      try {
        const result = await trainer.call('generate', { ...options, side, prompt, id });
        change(id, (current) => ({ ...current, text: result.text, status: 'done', result }));
      } catch (error) {
        change(id, (current) => ({ ...current, status: 'failed', error: asAppError(error) }));
      }
    };
    return {
      exchanges: [],
      fields: [],
      error: null,
      async askForFields(settings) {
        const turn = ++fieldTurns;
        try {
          const fields = await data.call('promptFields', { settings });
          if (turn === fieldTurns) set({ fields, error: null });
        } catch (error) {
          if (turn === fieldTurns) set({ fields: [], error: asAppError(error) });
        }
      },
      async send({ settings, fields, options, hasAdapter }) {
        set({ error: null });
        try {
          const { prompt } = await data.call('renderPrompt', { settings, fields });
          const fresh = (): Side => ({ id: nextId++, text: '', status: 'writing', result: null, error: null });
          const message = Object.values(fields).filter(Boolean).join('\n');
          const exchange: Exchange = { id: nextId++, message, prompt, base: fresh(), tuned: hasAdapter ? fresh() : null };
          set(({ exchanges }) => ({ exchanges: [exchange, ...exchanges] }));
          const asked = [generate('base', exchange.base.id, prompt, options)];
          if (exchange.tuned !== null) asked.push(generate('tuned', exchange.tuned.id, prompt, options));
          await Promise.all(asked);
        } catch (error) {
          set({ error: asAppError(error) });
        }
      },
      stop() {
        for (const { base, tuned } of get().exchanges) {
          for (const side of [base, tuned]) if (side?.status === 'writing') void trainer.call('stopGenerating', { id: side.id });
        }
      },
      forget() {
        set({ exchanges: [] });
      },
    };
  });
}

export function isWriting({ exchanges }: Pick<ChatStore, 'exchanges'>): boolean {
  return exchanges.some(({ base, tuned }) => base.status === 'writing' || tuned?.status === 'writing');
}
