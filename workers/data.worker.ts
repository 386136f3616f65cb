/** Entry point of the data worker: a data session behind calls and events. No logic. */
import type { DataCalls, DataEvents } from '#protocol/data.ts';
import { serve } from '#protocol/rpc.ts';
import { DataSession } from '#run/data-session.ts';

serve<DataCalls, DataEvents>(self, (emit) => new DataSession(emit));
