/** A studio with workers that say what tests make them say, a demo of thirty rows, and storage in memory. */
import type { StateStorage } from 'zustand/middleware';
import type { DataCalls, DataEvents } from '#protocol/data.ts';
import { connect, serve } from '#protocol/rpc.ts';
import type { TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import type { Place } from '#studio/stores/place.ts';
import { createStudio, type Studio } from '#studio/studio.ts';
import { FakeData, FakeTrainer } from '#studio/testing/fake-workers.ts';

const DEMO_ROWS = Array.from({ length: 30 }, (_, i) => JSON.stringify({ message: `Send ${i} lamps`, ticket: `lamp x${i}` })).join('\n');
export const DEMO_RECIPE = {
  mapping: { kind: 'template', template: '{message}\n{ticket}' },
  loss_on: 'answer',
  held_out: 0,
  max_steps: 7,
  learning_rate: 5e-3,
};

async function fetchDemoFile(name: string): Promise<Blob> {
  if (name.endsWith('.jsonl')) return new Blob([DEMO_ROWS]);
  return new Blob([name === 'recipe.json' ? JSON.stringify(DEMO_RECIPE) : '']);
}

export interface MemoryStorage extends StateStorage {
  getItem: (name: string) => string | null;
  setItem: (name: string, value: string) => void;
}

export function memoryStorage(): MemoryStorage {
  const items = new Map<string, string>();
  return { getItem: (name) => items.get(name) ?? null, setItem: (name, value) => void items.set(name, value), removeItem: () => {} };
}

export interface FakePage {
  studio: Studio;
  trainer: FakeTrainer;
  /** Where the page went by itself. */
  places: Place[];
  close: () => void;
}

export function openFakePage({ storage = memoryStorage(), hasWebGpu = true } = {}): FakePage {
  const [forTrainer, forData] = [new MessageChannel(), new MessageChannel()];
  const ports = [forTrainer.port1, forTrainer.port2, forData.port1, forData.port2];
  const made: { trainer?: FakeTrainer } = {};
  serve<TrainerCalls, TrainerEvents>(forTrainer.port2, (emit) => (made.trainer = new FakeTrainer(emit)));
  serve<DataCalls, DataEvents>(forData.port2, () => new FakeData());
  const clients = {
    trainer: connect<TrainerCalls, TrainerEvents>(forTrainer.port1, 'the trainer'),
    data: connect<DataCalls, DataEvents>(forData.port1, 'the data worker'),
  };
  const places: Place[] = [];
  return {
    studio: createStudio({ clients, storage, hasWebGpu, fetchDemoFile, goTo: (place) => places.push(place) }),
    trainer: made.trainer as FakeTrainer,
    places,
    close: () => {
      for (const port of ports) port.close();
    },
  };
}
