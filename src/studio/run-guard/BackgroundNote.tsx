/** Says what became of the run while its tab was out of sight, where that is worth knowing. */
import { useStore } from 'zustand';
import type { StoreApi } from 'zustand/vanilla';
import { useText } from '#studio/context.ts';
import { Note } from '#studio/parts/Note.tsx';
import { type BackgroundStore, SLOW_SHARE } from '#studio/run-guard/background.ts';
import { useTabs } from '#studio/tabs/context.ts';

export function BackgroundNote() {
  const background = useStore(useTabs().store, (tabs) => tabs.background);
  return background === null ? null : <HiddenNote background={background} />;
}

function HiddenNote({ background }: { background: StoreApi<BackgroundStore> }) {
  const text = useText().background;
  const { wasHidden, share } = useStore(background);
  if (!wasHidden) return null;
  const isSlow = share !== null && share < SLOW_SHARE;
  return <Note tone={isSlow ? 'warning' : 'plain'} title={isSlow ? text.wasSlow(share) : text.wasHidden} />;
}
