/** The title of the tab: where the run stands while it goes on. */
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { runWords } from '#studio/shell/rail-states.ts';
import { isActive } from '#studio/stores/run.ts';

export function RunTitle() {
  const text = useText();
  const state = useStore(useStudio().run, (run) => run.state);
  const words = runWords({ state, latest: null }, text);
  const title = isActive(state) ? text.background.tabTitle(text.product, words) : text.product;
  useEffect(() => {
    document.title = title;
  }, [title]);
  return null;
}
