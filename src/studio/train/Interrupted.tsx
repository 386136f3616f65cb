/** A run that was cut off on another day: when, where, and the way to go on. */
import { Button } from '@mantine/core';
import { useStore } from 'zustand';
import { useStudio, useText } from '#studio/context.ts';
import { DEMO_NAME } from '#studio/demo.ts';
import { Note } from '#studio/parts/Note.tsx';
import { useNow } from '#studio/parts/use-now.ts';
import { shortModelName } from '#studio/shell/rail-states.ts';
import { interruptedRun, lastCheckpoint } from '#studio/stores/runs.ts';
import { ago } from '#studio/text/format.ts';

export function Interrupted() {
  const text = useText().runs.interrupted;
  const studio = useStudio();
  const runs = useStore(studio.runs);
  const { state, runId } = useStore(studio.run);
  const now = useNow();
  const { waiting, opening, goOn } = useStore(studio.goingOn);
  const isReady = useStore(studio.device, ({ device }) => device.kind === 'ready');
  const run = interruptedRun(runs, { state, runId });
  if (run === null || waiting !== null || opening !== null) return null;
  const checkpoint = lastCheckpoint(run);
  const what = text.title(
    run.modelName === DEMO_NAME ? text.demo : shortModelName(run.modelName),
    run.step,
    run.steps,
    ago(run.updatedAt, now),
  );
  return (
    <Note tone="plain" title={`${what}; ${text.checkpoint(checkpoint)}`}>
      <Button size="xs" variant="default" disabled={!isReady} onClick={() => void goOn({ run })}>
        {text.goOn(checkpoint)}
      </Button>
      <Button size="xs" variant="default" onClick={() => runs.dismiss(run.id)}>
        {text.later}
      </Button>
      <Button size="xs" variant="default" component="a" href="#runs">
        {text.all}
      </Button>
    </Note>
  );
}
