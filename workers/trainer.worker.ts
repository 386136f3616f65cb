/** Entry point of the trainer worker: a session behind calls and events. No logic. */
import { serve } from '#protocol/rpc.ts';
import type { TrainerCalls, TrainerEvents } from '#protocol/trainer.ts';
import { Session } from '#run/session.ts';

serve<TrainerCalls, TrainerEvents>(self, (emit) => new Session(navigator.gpu, emit));
