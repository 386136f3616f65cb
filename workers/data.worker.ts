/** Entry point of the data worker: a data session behind calls and events. No logic. */
import type { DataCalls, DataEvents } from '#protocol/data.ts';
import { serve } from '#protocol/rpc.ts';
import { HubDataSession } from '#run/hub-data-session.ts';
import { opfsStore } from '#storage/opfs-store.ts';

const store = typeof navigator.storage?.getDirectory === 'function' ? opfsStore() : null;
serve<DataCalls, DataEvents>(self, (emit) => new HubDataSession(emit, store));
