/** Tells screen readers when the run changes its state; not at every step. */
import { VisuallyHidden } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { runWords } from '#studio/shell/rail-states.ts';

export function RunAnnouncer() {
  const text = useText();
  const state = useStore(useStudio().run, (run) => run.state);
  const isTold = !['idle', 'training', 'answering', 'evaluating'].includes(state.kind);
  return <VisuallyHidden component="output">{isTold ? runWords({ state, latest: null }, text) : ''}</VisuallyHidden>;
}
