/** Entry point of the trainer worker: a session behind calls and events, kept in the browser's own files. No logic. */
import { serve } from '#protocol/rpc.ts';
import type { TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import { Budgets } from '#run/budget.ts';
import { HubSession } from '#run/hub-session.ts';
import { StoredArchive } from '#run/stored-archive.ts';
import { opfsStore } from '#storage/opfs-store.ts';

const store = typeof navigator.storage?.getDirectory === 'function' ? opfsStore() : null;
const archive = store && new StoredArchive(store, (path) => store.file(path));
serve<TrainerCalls, TrainerEvents>(self, (emit) => new HubSession(navigator.gpu, emit, { archive, budgets: new Budgets(store), store }));
