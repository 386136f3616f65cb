/** The time of day for what says how long ago something was: looked at once a minute, the same for all. */
import { useSyncExternalStore } from 'react';

const EVERY_MS = 60_000;

function subscribe(listener: () => void): () => void {
  const timer = setInterval(listener, EVERY_MS / 4);
  return () => clearInterval(timer);
}

/** Milliseconds since 1970, rounded up to the minute so that "ago" never counts below zero. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => Math.ceil(Date.now() / EVERY_MS) * EVERY_MS);
}
