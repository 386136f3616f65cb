/** The two workers of the page, by their calls. The only file that knows their entries. */
import type { DataCalls, DataEvents } from '#protocol/data.ts';
import { type Client, connect } from '#protocol/rpc.ts';
import type { TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';

export type Trainer = Client<TrainerCalls, TrainerEvents>;
export type DataWorker = Client<DataCalls, DataEvents>;

export interface Clients {
  trainer: Trainer;
  data: DataWorker;
}

export function startWorkers(): Clients {
  const trainer = new Worker(new URL('../../workers/trainer.worker.ts', import.meta.url), { type: 'module', name: 'trainer' });
  const data = new Worker(new URL('../../workers/data.worker.ts', import.meta.url), { type: 'module', name: 'data' });
  return { trainer: connect(trainer, 'the trainer'), data: connect(data, 'the data worker') };
}
